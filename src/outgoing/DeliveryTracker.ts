import { describeError } from '../errors.js';
import type { SendRecord, SentRow, SentRows } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { LIFE } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import { SteadyTime } from '../system/SteadyTime.js';

/** What became of a text after it was sent. */
export type DeliveryEvent =
  | { kind: 'delivered' }
  | { kind: 'read' }
  | { kind: 'downgraded'; service: string | null }
  | { kind: 'failed'; error: number };

/** Told of each step of a sent text's life once, inside the write that remembers it. */
export type DeliveryListener = (send: SendRecord, event: DeliveryEvent) => void;

const HOT_MS = 2 * 60_000;
const COLD_MS = 48 * 3600_000;
const COLD_EVERY_MS = 60_000;
const BATCH = 200;

/**
 * Follows sent texts in chat.db: delivered, read, turned into SMS, failed after all; and those that failed, which Messages may
 * send after all. At every change for two minutes, then once a minute for 48 hours; each row by its guid, never by a scan.
 */
export class DeliveryTracker {
  private readonly listeners: DeliveryListener[] = [];
  private timer: Timer | undefined;
  private changedSinceCold = true;
  private hotUntil = 0;
  private readonly steady: SteadyTime;

  constructor(
    private readonly store: Store,
    private readonly rows: SentRows,
    private readonly clock: Clock,
    /** Inside the write: a text that had failed went out, as this row says. */
    private readonly arrived: (send: SendRecord, row: SentRow) => void,
  ) {
    this.steady = new SteadyTime(clock);
  }

  onEvent(listener: DeliveryListener): void {
    this.listeners.push(listener);
  }

  start(): void {
    this.hotUntil = this.clock.monotonic() + HOT_MS;
    this.store.tryWrite(() => this.store.sends.endLivesBy(this.steady.now() + COLD_MS));
    this.coldLater(0);
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Inside the write that settles it: the row of a text is known. `told`: what of its life that was, as LIFE bits. */
  begin(send: SendRecord, told = 0): void {
    this.store.sends.setTold(send.seq, told, this.steady.now() + COLD_MS);
    this.hotUntil = this.clock.monotonic() + HOT_MS;
  }

  /** chat.db changed. */
  look(): void {
    this.changedSinceCold = true;
    if (this.clock.monotonic() > this.hotUntil) return;
    this.examined(this.steady.now() + COLD_MS - HOT_MS, 0);
  }

  private coldLater(afterSeq: number): void {
    this.timer = this.clock.after(afterSeq === 0 ? COLD_EVERY_MS : 0, () => this.cold(afterSeq));
  }

  /** One batch of the minute's round; the next one follows in another turn of the loop. */
  private cold(afterSeq: number): void {
    if (afterSeq === 0 && !this.changedSinceCold) {
      this.coldLater(0);
      return;
    }
    this.changedSinceCold = false;
    const living = this.examined(0, afterSeq);
    // What could not be read now must not be left out of the next round for want of a change.
    if (living === undefined) this.changedSinceCold = true;
    this.coldLater(living === undefined || living.length < BATCH ? 0 : (living.at(-1)?.seq ?? 0));
  }

  /** Examines the texts behind `afterSeq` whose life ends after `since`, and returns them; undefined if the store gives none now. */
  private examined(since: number, afterSeq: number): readonly SendRecord[] | undefined {
    return this.store.tryRead(() => {
      const living = this.store.sends.living(since, afterSeq, BATCH);
      this.examine(living);
      return living;
    })?.value;
  }

  private examine(living: readonly SendRecord[]): void {
    const steps = living.flatMap((send) => {
      const row = send.guid === null ? undefined : this.rows.find(send.guid);
      const events = row === undefined ? [] : newSteps(send, row);
      const sent = row !== undefined && send.state === 'failed' && isThrough(row) ? row : undefined;
      const isOver = this.steady.age((send.lifeUntil ?? 0) - COLD_MS) > COLD_MS;
      const hasNews = events.length > 0 || sent !== undefined;
      const before = hasNews && row?.error === 0 ? recovered(send.told) : send.told;
      const told = events.reduce((sum, { kind }) => sum | LIFE[kind], before);
      return hasNews || isOver ? [{ send, sent, events, told, isOver }] : [];
    });
    if (steps.length === 0) return;
    this.store.tryEach(
      steps,
      ({ send, sent, events, told, isOver }) => {
        if (sent !== undefined) this.arrived(send, sent);
        // A failure is not the end: Messages may yet send it by SMS.
        const isFinal = isOver || (told & LIFE.read) !== 0;
        this.store.sends.setTold(send.seq, told, isFinal ? null : send.lifeUntil);
        for (const event of events) for (const listener of this.listeners) listener(send, event);
      },
      ({ send, told }, fault) => {
        this.store.sends.setTold(send.seq, told, null);
        this.store.setAside.note('text', send.id, describeError(fault));
      },
    );
  }
}

/** An error that is gone says nothing yet: Messages may be trying once more. */
function isThrough(row: SentRow): boolean {
  return row.error === 0 && (row.isSent || row.isDelivered || row.isRead || row.wasDowngraded);
}

/** What was told once good news are told: after those, a second failure is news again. */
function recovered(told: number): number {
  return (told & LIFE.failed) === 0 ? told : (told & ~LIFE.failed) | LIFE.recovered;
}

/** What a row says that was not told yet, in the order in which it happened. */
function newSteps(send: SendRecord, row: SentRow): DeliveryEvent[] {
  const steps: DeliveryEvent[] = [];
  if (row.wasDowngraded) steps.push({ kind: 'downgraded', service: row.service });
  if (row.error !== 0) steps.push({ kind: 'failed', error: row.error });
  else {
    if (row.isDelivered || row.isRead) steps.push({ kind: 'delivered' });
    if (row.isRead) steps.push({ kind: 'read' });
  }
  return steps.filter(({ kind }) => (send.told & LIFE[kind]) === 0);
}
