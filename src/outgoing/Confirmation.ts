import type { Logger } from '../logging/Logger.js';
import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sends.js';
import type { Clock, Timer } from '../system/clock.js';
import type { SentRow, SentRows } from './ports.js';
import type { Settlement } from './Settlement.js';

/** How long after osascript ended the ack may wait for the row. */
export const ROW_EXPECTED_MS = 10_000;
/** How long the row is looked for in all; Messages has been seen to send up to 124 s late. */
export const ROW_WATCHED_MS = 180_000;
/** A verdict that could not be stored is tried again so soon. */
const STORE_RETRY_MS = 2_000;

/**
 * Proves texts by their rows in chat.db: the first unclaimed outgoing row after the one that was newest at the
 * attempt, in the same conversation, with the same text. One row proves one text.
 */
export class Confirmation {
  private timer: Timer | undefined;
  private whenIdle: (() => void)[] = [];

  constructor(
    private readonly store: Store,
    private readonly rows: SentRows,
    private readonly settlement: Settlement,
    private readonly clock: Clock,
    private readonly log: Logger,
    /** Called at the end of a write that settled something: the lane may go on. */
    private readonly settled: () => void,
  ) {}

  /** Looks now; call it when chat.db changed and when an attempt ended. Cheap when nothing is watched. */
  look(): void {
    const watched = this.store.sends.watched();
    if (watched.length > 0 && !this.examine(watched)) this.arm(STORE_RETRY_MS);
    else this.arm(0);
    if (this.isIdle()) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  /** Resolves when no ack waits for a row any more. */
  idle(): Promise<void> {
    if (this.isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private isIdle(): boolean {
    return !this.store.sends.watched().some((send) => send.state === 'confirming');
  }

  /** False if what was found could not be stored. */
  private examine(watched: readonly SendRecord[]): boolean {
    const proofs = this.match(watched);
    const now = this.clock.now();
    const due = watched.filter((send) => !proofs.has(send.seq) && verdictDueAt(send) <= now);
    if (proofs.size === 0 && due.length === 0) return true;
    return this.store.tryWrite(() => {
      for (const send of watched) {
        const row = proofs.get(send.seq);
        if (row !== undefined) this.prove(send, row);
      }
      for (const send of due) this.giveUp(send);
      this.settled();
    });
  }

  private match(watched: readonly SendRecord[]): Map<number, SentRow> {
    const proofs = new Map<number, SentRow>();
    const position = this.rows.position();
    if (position === undefined) return proofs;
    const open = watched
      .filter((send) => send.afterRow !== null && send.generation === position.generation)
      .toSorted((a, b) => a.seq - b.seq);
    const from = open.reduce((least, send) => Math.min(least, send.afterRow ?? least), Infinity);
    if (from >= position.rowId) return proofs;
    const wanted = open.map((send) => ({ send, text: this.rows.normalise(send.text) }));
    for (const row of this.rows.after(from)) {
      if (this.store.sends.isClaimed(row.guid)) continue;
      const text = this.rows.normalise(row.text);
      const owner = wanted.find(
        ({ send, text: expected }) =>
          !proofs.has(send.seq) &&
          row.rowId > (send.afterRow ?? Infinity) &&
          row.conversation === send.conversation &&
          text === expected,
      );
      if (owner !== undefined) proofs.set(owner.send.seq, row);
    }
    return proofs;
  }

  private prove(send: SendRecord, row: SentRow): void {
    if (row.error !== 0) {
      this.settlement.settle(send, {
        kind: 'failed',
        errorCode: 'not_delivered',
        message: `Messages reported error ${row.error}: the text was not delivered.`,
      });
      return;
    }
    const late = send.state === 'unknown';
    if (late) this.log.info('A text whose outcome was unknown did arrive', { send: send.id });
    const { guid, service } = row;
    this.settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late });
  }

  private giveUp(send: SendRecord): void {
    if (send.state === 'unknown') {
      this.store.sends.unwatch(send.seq);
      return;
    }
    const cause = send.error ?? 'Messages accepted the text, but no row of it appeared in chat.db.';
    this.settlement.settle(send, { kind: 'unknown', message: cause }, send.watchUntil);
    this.log.warn('The outcome of a text is unknown; it is not sent again', { send: send.id });
  }

  private arm(leastMs: number): void {
    this.timer?.cancel();
    this.timer = undefined;
    const due = this.store.sends.watched().map(verdictDueAt);
    if (due.length === 0) return;
    const inMs = Math.max(Math.min(...due) - this.clock.now(), leastMs);
    this.timer = this.clock.after(inMs + 1, () => this.look());
  }
}

/** When the next verdict on a watched send falls, in Unix ms. */
function verdictDueAt(send: SendRecord): number {
  const endOfWatch = send.watchUntil ?? 0;
  return send.state === 'confirming' ? (send.endedAt ?? 0) + ROW_EXPECTED_MS : endOfWatch;
}
