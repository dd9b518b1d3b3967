import type { SendRole, TextRequest } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { sendableText } from '../system/sendableText.js';
import type { ConversationQueues } from './ConversationQueues.js';
import { DuplicatePairing, wordsKey } from './DuplicatePairing.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import type { SendOutcome } from './outcome.js';
import type { PairingDecision } from './pairing.js';
import { endOfDuplicate, outcomeOf } from './requestEnd.js';
import { type Part, partsOf } from './requestParts.js';
import { ANSWER_WITHDRAWN } from './withdrawAnswers.js';

interface RequestsOptions {
  store: Store;
  lanes: ConversationQueues;
  settlement: OutcomeRecorder;
  clock: Clock;
  limits: () => { maxTextLength: number; splitLongTexts: boolean };
  /** After the commit: something waits for a file to be fetched. */
  mustFetch: () => void;
}

/** Enters requests into the ledger, part by part, in the caller's write. */
export class Requests {
  private readonly pairing: DuplicatePairing;

  constructor(private readonly options: RequestsOptions) {
    const { store, clock } = options;
    this.pairing = new DuplicatePairing(store.sends, store.incoming, clock);
  }

  /** Stores a text in its lane, its files behind it. A known id changes nothing. */
  add(given: TextRequest): void {
    const { store, limits, mustFetch } = this.options;
    const request = { ...given, conversation: store.aliases.resolve(given.conversation) };
    const text = sendableText(request.text);
    const { id, role, pauseMs, files } = request;
    const planned = partsOf(
      files === undefined ? { id, text, role, pauseMs } : { id, text, role, pauseMs, files },
      limits(),
    );
    if ('fault' in planned) {
      this.refuse(request, text, { kind: 'failed', errorCode: 'text_too_long', message: planned.fault });
      return;
    }
    if (request.answers !== undefined && store.incoming.isReversed(request.answers)) {
      this.refuse(request, text, ANSWER_WITHDRAWN);
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

  /** Enters a part; returns how it is settled if it duplicates a text that has ended. */
  private addPart(request: TextRequest, part: Part, hasToFetch: boolean): (() => void) | undefined {
    const { store, lanes, settlement } = this.options;
    const isPaired = part.role === 'reflex' || part.role === 'first';
    const words = isPaired ? wordsKey(request.conversation, part.text) : null;
    const decision = this.decide(request, part.role, words);
    const own = hasToFetch ? 'staging' : 'queued';
    const state = decision.kind === 'send' ? own : 'waiting';
    const send = this.enter(request, part, words, decision, state);
    if (send === undefined) return undefined;
    if (decision.kind === 'send') {
      lanes.joined(send);
      return undefined;
    }
    for (const { seq, assumed } of decision.reassumed) store.sends.assume(seq, assumed);
    const root = store.sends.get(decision.of);
    // Forgotten, 7 days after it ended: what else it said then was no failure, or nothing would be its duplicate.
    if (root === undefined) return () => settlement.settle(send, { kind: 'deduplicated' });
    const end = outcomeOf(root, store.sends);
    return end === undefined ? undefined : () => settlement.settle(send, endOfDuplicate(root, end));
  }

  /** It is stored as failed, and its outcome is reported. */
  private refuse(
    request: TextRequest,
    text: string,
    outcome: Extract<SendOutcome, { kind: 'failed' }>,
  ): void {
    const { lanes, settlement } = this.options;
    const { id, role, pauseMs } = request;
    const whole: Part = { id, partOf: null, part: 0, role, text, file: null, source: null, pauseMs };
    const send = this.enter(request, whole, null, null, 'queued');
    if (send === undefined) return;
    lanes.joined(send);
    settlement.settle(send, outcome);
  }

  private enter(
    request: TextRequest,
    part: Part,
    words: string | null,
    decision: PairingDecision | null,
    state: 'staging' | 'queued' | 'waiting',
  ) {
    return this.options.store.sends.add({
      id: part.id,
      conversation: request.conversation,
      threadId: request.threadId,
      text: part.text,
      role: part.role,
      priority: request.priority,
      pauseMs: part.pauseMs,
      commandId: request.commandId ?? null,
      scheduleId: request.scheduleId ?? null,
      answers: request.answers ?? null,
      twinKey: words,
      twin: decision?.kind === 'duplicate' ? decision.of : null,
      assumed: decision?.assumed ?? null,
      state,
      errorCode: null,
      error: null,
      partOf: part.partOf,
      part: part.part,
      file: part.file,
      source: part.source,
      chatGuid: this.chatOf(request.conversation, request.answers),
    });
  }

  /** The chat of the message that is answered. One of another conversation, which a backend may name, decides nothing. */
  private chatOf(conversation: string, answers: string | undefined): string | null {
    const message = answers === undefined ? undefined : this.options.store.incoming.find(answers);
    if (message === undefined || message.chatGuid === '') return null;
    const { aliases } = this.options.store;
    return aliases.resolve(message.conversation) === conversation ? message.chatGuid : null;
  }

  private decide(request: TextRequest, role: SendRole, words: string | null): PairingDecision {
    const { conversation, answers = null } = request;
    if (words === null || (role !== 'reflex' && role !== 'first')) return { kind: 'send', assumed: null };
    if (role === 'first' && answers === null) return { kind: 'send', assumed: null };
    return this.pairing.decide({ conversation, role, words, answers });
  }
}
