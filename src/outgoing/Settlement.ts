import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sendRecord.js';
import type { Lanes } from './Lanes.js';
import type { OutcomeListener, SendOutcome } from './outcome.js';

/** Writes the end of a text into the ledger, with everything that follows from it, in the caller's write. */
export class Settlement {
  private readonly listeners: OutcomeListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly lanes: Lanes,
  ) {}

  onOutcome(listener: OutcomeListener): void {
    this.listeners.push(listener);
  }

  /**
   * `watchUntil` (Unix ms): how long its row is still looked for, if the outcome may yet be corrected. A part that failed
   * while nothing of its request went out takes the parts behind it along: nobody is to get a text without its beginning.
   */
  settle(send: SendRecord, outcome: SendOutcome, watchUntil: number | null = null): void {
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
    this.releaseTwins(send, outcome);
  }

  /** The parts that have not been tried of a request of which nothing went out, or may have gone out. */
  private pointless({ partOf }: SendRecord): readonly SendRecord[] {
    const parts = partOf === null ? [] : this.store.sendParts.of(partOf);
    const open = parts.filter(({ state }) => state === 'queued' || state === 'staging');
    const areOthersFailed = parts.every((part) => part.state === 'failed' || open.includes(part));
    return areOthersFailed ? open : [];
  }

  /**
   * Twins that waited for this text: dropped if it went out, failed with it if Messages has its row and may yet send it by
   * itself; else the first of them takes its place. Those that failed with it are dropped when it goes out after all.
   */
  private releaseTwins(send: SendRecord, outcome: SendOutcome): void {
    const twins = this.store.sends.twinsOf(send.seq);
    const waiting = twins.filter(({ state }) => state === 'waiting');
    if (outcome.kind !== 'failed') {
      const failedWithIt = send.state === 'failed' ? twins.filter(({ state }) => state === 'failed') : [];
      for (const twin of [...waiting, ...failedWithIt]) this.settle(twin, { kind: 'deduplicated' });
    } else if (outcome.guid === undefined) this.promoteFirst(waiting, send.place);
    else for (const twin of waiting) this.settle(twin, outcome);
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

/** What waits was never tried: the row of its failure is its twin's, and a row belongs to one text. */
export function hasOwnRow(send: Pick<SendRecord, 'state'>): boolean {
  return send.state !== 'waiting';
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
        guid: hasOwnRow(send) ? (outcome.guid ?? null) : null,
        errorCode: outcome.errorCode,
        error: outcome.message,
      } as const;
    case 'unknown':
      return { state: 'unknown', errorCode: 'outcome_unknown', error: outcome.message } as const;
  }
}
