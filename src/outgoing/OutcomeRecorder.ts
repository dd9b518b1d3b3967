import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { ConversationQueues } from './ConversationQueues.js';
import { isDuplicate } from './DuplicatePairing.js';
import type { OutcomeListener, SendOutcome } from './outcome.js';
import { endOfDuplicate } from './requestEnd.js';

/** Writes the end of a text into the ledger, with everything that follows from it, in the caller's write. */
export class OutcomeRecorder {
  private readonly listeners: OutcomeListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly lanes: ConversationQueues,
  ) {}

  onOutcome(listener: OutcomeListener): void {
    this.listeners.push(listener);
  }

  /**
   * `watchUntil` (Unix ms): how long its row is still looked for, if the outcome may yet be corrected. A part that failed
   * while nothing of its request went out takes the parts behind it along: nobody is to get a text without its beginning.
   */
  settle(send: SendRecord, given: SendOutcome, watchUntil: number | null = null): void {
    const outcome = provable(send, given);
    this.end(send, outcome, watchUntil);
    if (outcome.kind !== 'failed') return;
    const { kind, errorCode } = outcome;
    const message = `Not sent, as part ${send.part} could not be: ${outcome.message}`;
    for (const part of this.pointless(send)) this.end(part, { kind, errorCode, message });
  }

  private end(send: SendRecord, outcome: SendOutcome, watchUntil: number | null = null): void {
    const wasInLane = isInLane(send);
    this.store.sends.settle(send.seq, { ...ledgerEnd(send, outcome), watchUntil });
    if (wasInLane) this.lanes.left(send);
    for (const listener of this.listeners) listener(send, outcome);
    this.settleDuplicates(send, outcome);
  }

  /** The parts that have not been tried of a request of which nothing went out, or may have gone out. */
  private pointless({ partOf }: SendRecord): readonly SendRecord[] {
    const parts = partOf === null ? [] : this.store.sendParts.of(partOf);
    const open = parts.filter(({ state }) => state === 'queued' || state === 'staging');
    const areOthersFailed = parts.every((part) => part.state === 'failed' || open.includes(part));
    return areOthersFailed ? open : [];
  }

  /**
   * The duplicates of this text share its end: not sent if it went out, unknown if it is, failed if Messages has its row and
   * may yet send it by itself. When that end is corrected, so is theirs. If it provably did not go out, the first duplicate
   * that waits takes its place, and the others wait for that one.
   */
  private settleDuplicates(send: SendRecord, outcome: SendOutcome): void {
    const duplicates = this.store.sends.duplicatesOf(send.seq).filter(isDuplicate);
    const waiting = duplicates.filter(({ state }) => state === 'waiting');
    if (outcome.kind === 'failed' && outcome.guid === undefined) {
      this.promoteFirst(waiting, send.place);
      return;
    }
    const end = endOfDuplicate(send, outcome);
    for (const duplicate of duplicates) if (duplicate.state !== end.kind) this.settle(duplicate, end);
  }

  private promoteFirst([heir, ...others]: readonly SendRecord[], place: number): void {
    if (heir === undefined) return;
    this.store.sends.promote(heir.seq, place);
    this.lanes.joined(heir);
    for (const other of others) this.store.sends.rewait(other.seq, heir.seq);
  }
}

function isInLane(send: SendRecord): boolean {
  return (
    send.state === 'staging' ||
    send.state === 'queued' ||
    send.state === 'attempting' ||
    send.state === 'confirming'
  );
}

/**
 * A text that was sent again because its outcome was unknown may have gone out the first time, whatever became of the
 * second attempt: it cannot be said to have failed without a row.
 */
function provable(send: SendRecord, outcome: SendOutcome): SendOutcome {
  if (outcome.kind !== 'failed' || outcome.guid !== undefined || send.resends === 0) return outcome;
  return { kind: 'unknown', message: `It was sent twice; the second attempt failed: ${outcome.message}` };
}

function ledgerEnd(send: SendRecord, outcome: SendOutcome) {
  switch (outcome.kind) {
    case 'sent':
      return { state: 'sent', guid: outcome.guid, service: outcome.service } as const;
    case 'deduplicated':
      return { state: 'deduplicated' } as const;
    case 'failed':
      return {
        state: 'failed',
        // A row belongs to one text: that of a duplicate's failure is the other text's.
        guid: isDuplicate(send) ? null : (outcome.guid ?? null),
        errorCode: outcome.errorCode,
        error: outcome.message,
      } as const;
    case 'unknown':
      return { state: 'unknown', errorCode: 'outcome_unknown', error: outcome.message } as const;
  }
}
