import type { Logger } from '../logging/Logger.js';
import type { MessageSender, SentRows, TextRequest } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { GoneOut, WantedSince, WantedText } from '../store/sendRecord.js';
import { LIFE } from '../store/sendRecord.js';
import { type Clock, SteadyTime } from '../system/clock.js';
import type { MachineFault } from '../system/failures.js';
import { ConversationQueues, type HeldTexts } from './ConversationQueues.js';
import { type DeliveryListener, DeliveryTracker } from './DeliveryTracker.js';
import { Dispatcher, type StartListener } from './Dispatcher.js';
import { isDuplicate } from './DuplicatePairing.js';
import { NewRecipients, Pace } from './limits.js';
import type { OutcomeListener } from './OutcomeRecorder.js';
import { OutcomeRecorder, type RequestListener, requestEnd } from './OutcomeRecorder.js';
import type { FileFetcher } from './ports.js';
import { expireHeld, type HeldAges, Requests, withdrawAnswers } from './Requests.js';
import { recoverAttempts } from './recovery.js';
import { SendVerifier, type UndecidedTexts } from './SendVerifier.js';
import { SentEvidence } from './SentEvidence.js';
import { Staging } from './Staging.js';

/** What the operator set; the limits are off at 0. */
export interface OutgoingSettings {
  /** In characters. */
  maxTextLength: number;
  resendUnknown: boolean;
  /** Whether a longer text is cut into several instead of refused. */
  splitLongTexts?: boolean;
  /** To one conversation. */
  maxPerMinute?: number;
  maxNewRecipientsPerHour?: number;
  /** How old a text may be, in ms, when a pause in which it waited is lifted; without limit if left out. */
  heldAges?: HeldAges;
}

interface OutgoingOptions {
  store: Store;
  sender: MessageSender;
  rows: SentRows;
  clock: Clock;
  log: Logger;
  /** What our clock showed, at the earliest, when the backend's showed this (Unix ms); the same if left out. */
  ownTime?: (backendTime: number) => number;
  /** Names the time since the machine was started; left out: it is not known (`bootId`). */
  boot?: string | undefined;
  /** Fetches the files of a request; without it, one that must be fetched fails. */
  fetcher?: FileFetcher;
  /** Called with the result of each fetch: a fault of this machine, or none. */
  onMachine?: (fault: MachineFault | undefined) => void;
  /** Read at each use. */
  settings: () => OutgoingSettings;
}

/** The only way out: whatever the agent sends goes through here, once, in the order of its conversation. */
export class Outgoing {
  private readonly lanes: ConversationQueues;
  private readonly requests: Requests;
  private readonly settlement: OutcomeRecorder;
  private readonly dispatcher: Dispatcher;
  private readonly confirmation: SendVerifier;
  private readonly deliveryTracker: DeliveryTracker;
  private readonly staging: Staging;
  private readonly evidence: SentEvidence;
  private isStopping = false;
  private readonly requestListeners: RequestListener[] = [];

  constructor(private readonly options: OutgoingOptions) {
    const { store, sender, rows, clock, log, settings } = options;
    const steady = new SteadyTime(clock);
    this.evidence = new SentEvidence(store, rows, () => clock.now(), options.ownTime);
    const pace = new Pace(
      store.sendParts,
      () => store.sends.newest(),
      clock,
      () => settings().maxPerMinute ?? 0,
    );
    const newRecipients = new NewRecipients(
      store.newRecipients,
      clock,
      () => settings().maxNewRecipientsPerHour ?? 0,
      {
        hasChat: (conversation, threadId) =>
          rows.position() === undefined
            ? undefined
            : sender.targets(conversation, threadId)?.some(({ form }) => form === 'chat'),
        isInStore: (conversation) =>
          store.incoming.isHeardFrom(conversation) || store.sends.isProvenTo(conversation),
      },
    );
    this.lanes = new ConversationQueues(
      store.sends,
      clock,
      (conversation) => store.pauses.covers(conversation),
      {
        waitOf: (conversation) => pace.waitOf(conversation),
        newOpensInMs: () => newRecipients.opensInMs(),
        isNew: (conversation, threadId) => newRecipients.isNew(conversation, threadId),
      },
    );
    this.settlement = new OutcomeRecorder(store, this.lanes);
    this.requests = new Requests({
      store,
      lanes: this.lanes,
      settlement: this.settlement,
      clock,
      limits: () => ({
        maxTextLength: settings().maxTextLength,
        splitLongTexts: settings().splitLongTexts ?? false,
      }),
      mustFetch: () => this.staging.look(),
    });
    this.dispatcher = new Dispatcher(
      store,
      this.lanes,
      sender,
      rows,
      this.settlement,
      clock,
      log,
      { pace, newRecipients },
      this.evidence,
      () => this.confirmation.look(),
    );
    this.confirmation = new SendVerifier({
      store,
      rows,
      settlement: this.settlement,
      clock,
      log,
      resendUnknown: () => settings().resendUnknown,
      settled: () => store.beforeCommit(this.dispatcher.claim),
      requeued: (send) => this.lanes.joined(send),
    });
    this.deliveryTracker = new DeliveryTracker(store, rows, clock, (send, { guid, service }) =>
      this.settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late: true }),
    );
    this.settlement.onOutcome((send, outcome) => {
      if (outcome.kind === 'sent' && outcome.guid !== null) this.deliveryTracker.begin(send);
      if (outcome.kind === 'failed' && outcome.guid !== undefined && !isDuplicate(send))
        this.deliveryTracker.begin(send, LIFE.failed);
      if (outcome.kind === 'failed' || outcome.kind === 'unknown')
        store.targetForms.forget(send.conversation);
      const end = requestEnd(send, outcome, store);
      if (end !== undefined) for (const listener of this.requestListeners) listener(end);
    });
    this.staging = new Staging({
      store,
      lanes: this.lanes,
      settlement: this.settlement,
      fetcher: options.fetcher ?? NO_FETCHER,
      ...(options.onMachine === undefined ? {} : { onMachine: options.onMachine }),
      clock,
      log,
      settled: () => store.beforeCommit(this.dispatcher.claim),
    });
    // A person who writes to us is not a stranger: texts that wait for them are checked again.
    store.incoming.onOpen((conversation) => this.lookAnew(conversation));
    // A text that waits may answer another message than it named.
    store.cursor.seen.onCopy(({ conversation }, original) => {
      if (store.incoming.isReversed(original)) this.withdrawAnswers({ guid: original, conversation });
      this.lookAnew(conversation);
    });
    store.onRekeyed(() => {
      newRecipients.reload();
      this.lanes.reload();
      store.beforeCommit(this.dispatcher.claim);
    });
    store.pauses.onLifted((conversation) =>
      expireHeld(
        {
          store,
          rows,
          evidence: this.evidence,
          settlement: this.settlement,
          clock,
          ageOf: (at) => steady.age(at),
          log,
          ages: () => settings().heldAges ?? AGELESS,
        },
        conversation,
      ),
    );
    store.pauses.afterChange(() => this.dispatcher.pump());
    this.lanes.reload();
  }

  /** Called for every outcome inside the write that stores it. Register before `start`. */
  onOutcome(listener: OutcomeListener): void {
    this.settlement.onOutcome(listener);
  }

  /**
   * Called when all parts of a request have ended, inside the write that ends the last. Register before
   * `start`.
   */
  onEnded(listener: RequestListener): void {
    this.requestListeners.push(listener);
  }

  /** Called right after each text was passed to osascript; `send` is its state before the attempt. */
  onStarted(listener: StartListener): void {
    this.dispatcher.onStarted(listener);
  }

  /** Texts that wait because of a limit. */
  held(): HeldTexts {
    return this.lanes.held();
  }

  /**
   * Texts for which chat.db does not show whether they were sent: just now, or before the store was restored.
   */
  undecided(): UndecidedTexts {
    const [before, now] = [this.dispatcher.undecided(), this.confirmation.undecided()];
    return { texts: before.texts + now.texts, since: Math.min(before.since, now.since) };
  }

  /** How many texts are on their way or could go out now. */
  ready(): number {
    return this.lanes.ready();
  }

  /** Called for changes of sent texts, inside the write that stores them. Register before `start`. */
  onDelivery(listener: DeliveryListener): void {
    this.deliveryTracker.onEvent(listener);
  }

  /**
   * Inside a write: stores a text in its lane, with its files behind it. If the lane and the slot are free it is marked
   * as being attempted in the same commit and handed over right after it. A known id changes nothing.
   */
  enqueue(request: TextRequest): void {
    this.requests.add(request);
    this.options.store.beforeCommit(this.dispatcher.claim);
  }

  /**
   * Inside a write: the message was sent from this account itself; answers to it that have not begun fail,
   * and so do later ones.
   */
  withdrawAnswers(message: { guid: string; conversation: string }): void {
    const { store } = this.options;
    withdrawAnswers({ store, settlement: this.settlement }, message);
    store.beforeCommit(this.dispatcher.claim);
  }

  /** Inside a write: something changed that decides whether what waits there may go out. */
  private lookAnew(conversation: string): void {
    if (!this.lanes.has(conversation)) return;
    this.lanes.changed(conversation);
    this.options.store.beforeCommit(this.dispatcher.claim);
  }

  /** Whether chat.db may have this text that the ledger does not know: then it is not too late. */
  mayHaveGoneOut(text: WantedText, since: WantedSince): GoneOut {
    return this.evidence.mayHaveGoneOut(text, since);
  }

  /** Texts that wait for a limit are checked again. */
  limitsChanged(): void {
    this.lanes.limitsChanged();
    this.dispatcher.pump();
  }

  /** Settles what an earlier life left, then lets texts out. */
  async start(): Promise<void> {
    const { store, sender, rows, clock, log } = this.options;
    await recoverAttempts(store, sender, rows, clock, log, this.options.boot);
    if (this.isStopping) return;
    this.lanes.reload();
    this.confirmation.look();
    this.deliveryTracker.start();
    this.staging.start();
    this.dispatcher.start();
  }

  /** chat.db changed: rows of texts on their way may have appeared. */
  chatChanged(): void {
    this.confirmation.look();
    this.deliveryTracker.look();
  }

  /** Lets no further text out; resolves when the one on its way has its outcome. What is queued stays queued. */
  async drain(): Promise<void> {
    this.isStopping = true;
    this.staging.stop();
    await this.dispatcher.stop();
    await this.confirmation.idle();
  }

  /** No timer is left after this. */
  stop(): void {
    this.isStopping = true;
    void this.dispatcher.stop();
    this.staging.stop();
    this.confirmation.stop();
    this.deliveryTracker.stop();
  }
}

const AGELESS: HeldAges = { text: Infinity, reflex: Infinity, scheduled: Infinity };

const NO_FETCHER: FileFetcher = {
  fetch: () =>
    Promise.resolve({
      kind: 'failed',
      errorCode: 'internal',
      message: 'Nothing here can fetch files.',
    }),
};
