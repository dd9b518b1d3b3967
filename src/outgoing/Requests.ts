import type { Store } from '../store/Store.js';
import type { SendRole } from '../store/sendRecord.js';
import type { TextRequest } from '../store/textRequest.js';
import type { Clock } from '../system/clock.js';
import { sendableText } from '../system/sendableText.js';
import type { Lanes } from './Lanes.js';
import { ReflexTwins, type TwinDecision, twinKey } from './reflexTwins.js';
import { type Part, partsOf } from './requestParts.js';
import type { Settlement } from './Settlement.js';

export interface RequestsOptions {
  store: Store;
  lanes: Lanes;
  settlement: Settlement;
  clock: Clock;
  limits: () => { maxTextLength: number; splitLongTexts: boolean };
  /** After the commit: something waits for a file to be fetched. */
  mustFetch: () => void;
}

/** Enters requests into the ledger, part by part, in the caller's write. */
export class Requests {
  private readonly twins: ReflexTwins;

  constructor(private readonly options: RequestsOptions) {
    const { store, clock } = options;
    this.twins = new ReflexTwins(store.sends, store.incoming, clock);
  }

  /** Stores a text in its lane, its files behind it. A known id changes nothing. */
  add(request: TextRequest): void {
    const { store, limits, mustFetch } = this.options;
    const text = sendableText(request.text);
    const { id, role, pauseMs, files } = request;
    const planned = partsOf(
      files === undefined ? { id, text, role, pauseMs } : { id, text, role, pauseMs, files },
      limits(),
    );
    if ('fault' in planned) {
      this.refuse(request, text, planned.fault);
      return;
    }
    const { parts } = planned;
    if (parts.length > 1 && store.sends.findById(`${id}:1`) !== undefined) return;
    const hasToFetch = parts.some((part) => part.source !== null);
    // What ends at once ends when all of the request is there: its end concerns the parts behind it.
    const ends = parts.map((part) => this.addPart(request, part, hasToFetch));
    for (const end of ends) end?.();
    if (hasToFetch) store.afterCommit(mustFetch);
  }

  /** Enters a part; returns how it is settled if it ended with its twin. */
  private addPart(request: TextRequest, part: Part, hasToFetch: boolean): (() => void) | undefined {
    const { lanes, settlement } = this.options;
    const hasTwins = part.role === 'reflex' || part.role === 'first';
    const key = hasTwins ? twinKey(request.conversation, part.text) : null;
    const decision = this.decide(request, part.role, key);
    const own = hasToFetch ? 'staging' : 'queued';
    const state = decision.kind === 'send' ? own : 'waiting';
    const send = this.enter(request, part, key, decision.kind === 'send' ? null : decision.twin, state);
    if (send === undefined) return undefined;
    if (decision.kind === 'send') lanes.joined(send);
    return decision.kind === 'ended' ? () => settlement.settle(send, decision.outcome) : undefined;
  }

  /** It stands in the ledger as failed, and its outcome is told. */
  private refuse(request: TextRequest, text: string, message: string): void {
    const { lanes, settlement } = this.options;
    const { id, role, pauseMs } = request;
    const whole: Part = { id, partOf: null, part: 0, role, text, file: null, source: null, pauseMs };
    const send = this.enter(request, whole, null, null, 'queued');
    if (send === undefined) return;
    lanes.joined(send);
    settlement.settle(send, { kind: 'failed', errorCode: 'text_too_long', message });
  }

  private enter(
    request: TextRequest,
    part: Part,
    key: string | null,
    twin: number | null,
    state: 'staging' | 'queued' | 'waiting',
  ) {
    const { store } = this.options;
    const conversation = store.aliases.resolve(request.conversation);
    return store.sends.add({
      id: part.id,
      conversation,
      threadId: request.threadId,
      text: part.text,
      role: part.role,
      priority: request.priority,
      pauseMs: part.pauseMs,
      commandId: request.commandId ?? null,
      scheduleId: request.scheduleId ?? null,
      answers: request.answers ?? null,
      twinKey: key,
      twin,
      state,
      errorCode: null,
      error: null,
      partOf: part.partOf,
      part: part.part,
      file: part.file,
      source: part.source,
      chatGuid: this.chatOf(conversation, request.answers),
    });
  }

  /** The chat of the message that is answered. One of another conversation, which a backend may name, decides nothing. */
  private chatOf(conversation: string, answers: string | undefined): string | null {
    const message = answers === undefined ? undefined : this.options.store.incoming.find(answers);
    if (message === undefined || message.chatGuid === '') return null;
    const { aliases } = this.options.store;
    return aliases.resolve(message.conversation) === conversation ? message.chatGuid : null;
  }

  private decide(request: TextRequest, role: SendRole, key: string | null): TwinDecision {
    if (key === null) return { kind: 'send' };
    if (role === 'reflex') return this.twins.onReflex(request.conversation, key, request.answers ?? null);
    return request.answers === undefined ? { kind: 'send' } : this.twins.onFirstBubble(key, request.answers);
  }
}
