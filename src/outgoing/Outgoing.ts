import type { Logger } from '../logging/Logger.js';
import type { Store } from '../store/Store.js';
import type { SendRole } from '../store/sends.js';
import type { Clock } from '../system/clock.js';
import { Confirmation } from './Confirmation.js';
import { Dispatcher } from './Dispatcher.js';
import { Lanes } from './Lanes.js';
import { LaterLife, type LifeListener } from './LaterLife.js';
import type { OutcomeListener } from './outcome.js';
import type { MessageSender, SentRows } from './ports.js';
import { recoverAttempts } from './recovery.js';
import { ReflexTwins, type TwinDecision, twinKey } from './reflexTwins.js';
import { Settlement } from './Settlement.js';
import { textFault } from './textLimit.js';

/** A text to be sent. `id` is derived from its cause: the same id is never sent twice. */
export interface TextRequest {
  id: string;
  conversation: string;
  threadId: string;
  text: string;
  role: SendRole;
  priority: number;
  pauseMs: number;
  commandId?: string;
  scheduleId?: string;
  /** The guid of the message that this answers. */
  answers?: string;
}

export interface OutgoingOptions {
  store: Store;
  sender: MessageSender;
  rows: SentRows;
  clock: Clock;
  log: Logger;
  /** `maxTextLength` in characters. Read at each use. */
  settings: () => { maxTextLength: number; resendUnknown: boolean };
}

/** The only way out: whatever the agent sends goes through here, once, in the order of its conversation. */
export class Outgoing {
  private readonly lanes: Lanes;
  private readonly twins: ReflexTwins;
  private readonly settlement: Settlement;
  private readonly dispatcher: Dispatcher;
  private readonly confirmation: Confirmation;
  private readonly laterLife: LaterLife;

  constructor(private readonly options: OutgoingOptions) {
    const { store, sender, rows, clock, log, settings } = options;
    this.lanes = new Lanes(store.sends, clock);
    this.twins = new ReflexTwins(store.sends, store.incoming, clock);
    this.settlement = new Settlement(store, this.lanes);
    this.dispatcher = new Dispatcher(store, this.lanes, sender, rows, this.settlement, clock, log, () =>
      this.confirmation.look(),
    );
    this.confirmation = new Confirmation({
      store,
      rows,
      settlement: this.settlement,
      clock,
      log,
      resendUnknown: () => settings().resendUnknown,
      settled: () => store.beforeCommit(this.dispatcher.claim),
      requeued: (send) => this.lanes.joined(send),
    });
    this.laterLife = new LaterLife(store, rows, clock);
    this.settlement.onOutcome((send, outcome) => {
      if (outcome.kind === 'sent' && outcome.guid !== null) this.laterLife.begin(send);
    });
    this.lanes.reload();
  }

  /** Told of every outcome inside the write that stores it. Register before `start`. */
  onOutcome(listener: OutcomeListener): void {
    this.settlement.onOutcome(listener);
  }

  /** Told of what becomes of sent texts, inside the write that remembers it. Register before `start`. */
  onLife(listener: LifeListener): void {
    this.laterLife.onEvent(listener);
  }

  /**
   * Inside a write: stores a text in its lane. If the lane and the slot are free it is marked as being attempted in
   * the same commit and handed over right after it. A known id changes nothing.
   */
  enqueue(request: TextRequest): void {
    const { store } = this.options;
    const text = request.text.replaceAll('\0', '');
    const key =
      request.role === 'reflex' || request.role === 'first' ? twinKey(request.conversation, text) : null;
    const fault = textFault(text, this.options.settings().maxTextLength);
    const decision = fault === undefined ? this.decide(request, key) : ({ kind: 'send' } as const);
    const state = fault === undefined ? STATE_OF[decision.kind] : 'queued';
    const send = store.sends.add({
      id: request.id,
      conversation: request.conversation,
      threadId: request.threadId,
      text,
      role: request.role,
      priority: request.priority,
      pauseMs: request.pauseMs,
      commandId: request.commandId ?? null,
      scheduleId: request.scheduleId ?? null,
      answers: request.answers ?? null,
      twinKey: key,
      twin: decision.kind === 'send' ? null : decision.twin,
      state,
      errorCode: null,
      error: null,
    });
    if (send === undefined) return;
    if (state === 'queued') this.lanes.joined(send);
    if (fault !== undefined)
      this.settlement.settle(send, { kind: 'failed', errorCode: 'text_too_long', message: fault });
    else if (decision.kind === 'deduplicated') this.settlement.settle(send, { kind: 'deduplicated' });
    store.beforeCommit(this.dispatcher.claim);
  }

  /** Settles what an earlier life left, then lets texts out. */
  async start(): Promise<void> {
    const { store, sender, rows, clock, log } = this.options;
    await recoverAttempts(store, sender, rows, clock, log);
    this.lanes.reload();
    this.confirmation.look();
    this.laterLife.start();
    this.dispatcher.start();
  }

  /** chat.db changed: rows of texts on their way may have appeared. */
  chatChanged(): void {
    this.confirmation.look();
    this.laterLife.look();
  }

  /** Lets no further text out; resolves when the one on its way has its outcome. What is queued stays queued. */
  async drain(): Promise<void> {
    await this.dispatcher.stop();
    await this.confirmation.idle();
  }

  /** No timer is left after this. */
  stop(): void {
    void this.dispatcher.stop();
    this.confirmation.stop();
    this.laterLife.stop();
  }

  private decide(request: TextRequest, key: string | null): TwinDecision {
    if (key === null) return { kind: 'send' };
    if (request.role === 'reflex')
      return this.twins.onReflex(request.conversation, key, request.answers ?? null);
    return request.answers === undefined ? { kind: 'send' } : this.twins.onFirstBubble(key, request.answers);
  }
}

const STATE_OF = { send: 'queued', wait: 'waiting', deduplicated: 'deduplicated' } as const;
