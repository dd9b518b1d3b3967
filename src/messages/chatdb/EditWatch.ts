import type { Clock, Timer } from '../../system/clock.js';
import type { Reading } from './ChatDbConnection.js';
import type { EditedRows, RowChange } from './EditedRows.js';

interface EditWatchOptions {
  chatDb: { readEdits<T>(work: (rows: EditedRows) => T): Reading<T> };
  clock: Clock;
  /**
   * Takes what stands changed, the oldest message first; the same again at each look, until it is old. False if it could
   * not be taken now.
   */
  onChanges: (changes: readonly RowChange[]) => boolean;
}

/** Senders may change a message for 15 minutes and take it back for 2; a Mac that was asleep hears of it later. */
const HOT_MS = 30 * 60_000;
const COLD_MS = 48 * 3600_000;
const HOT_EVERY_MS = 1_000;
const COLD_EVERY_MS = 60_000;
/** The cold stretch is read in so many pieces, other work between them. */
const COLD_PIECES = 16;
const PIECE_MS = COLD_MS / COLD_PIECES;
/** A message may bear a date a little ahead of our clock. */
const AHEAD_MS = 24 * 3600_000;

/**
 * Looks for messages that were changed in place after they were read: of the last half hour at every change of chat.db,
 * at most once a second; of the last 48 hours once a minute if anything changed. By the index on date, never by a scan.
 */
export class EditWatch {
  private hot: Timer | undefined;
  private cold: Timer | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private changedSinceCold = true;
  private running = false;

  constructor(private readonly options: EditWatchOptions) {}

  /** Begins with the cold stretch: what was changed while we were down. */
  start(): void {
    this.running = true;
    this.lookCold(0);
  }

  /** No timer is left. Idempotent. */
  stop(): void {
    this.running = false;
    this.hot?.cancel();
    this.cold?.cancel();
  }

  /** chat.db changed. */
  look(): void {
    if (!this.running) return;
    this.changedSinceCold = true;
    if (this.hot !== undefined) return;
    const { clock } = this.options;
    const wait = this.lookedAt + HOT_EVERY_MS - clock.monotonic();
    if (wait <= 0) this.lookHot();
    else this.hot = clock.after(wait, () => this.lookHot());
  }

  private lookHot(): void {
    this.hot = undefined;
    const { clock } = this.options;
    this.lookedAt = clock.monotonic();
    const now = clock.now();
    this.examine(now - HOT_MS, now + AHEAD_MS);
  }

  /** One piece of the cold stretch; the next one follows in another turn of the loop. */
  private lookCold(piece: number): void {
    if (piece === 0 && !this.changedSinceCold) {
      this.coldLater(COLD_EVERY_MS, 0);
      return;
    }
    if (piece === 0) this.changedSinceCold = false;
    const now = this.options.clock.now();
    const from = now - COLD_MS + piece * PIECE_MS;
    const isLast = piece === COLD_PIECES - 1;
    this.examine(from, isLast ? now + AHEAD_MS : from + PIECE_MS);
    if (isLast) this.coldLater(COLD_EVERY_MS, 0);
    else this.coldLater(0, piece + 1);
  }

  private coldLater(ms: number, piece: number): void {
    if (this.running) this.cold = this.options.clock.after(ms, () => this.lookCold(piece));
  }

  private examine(from: number, to: number): void {
    const reading = this.options.chatDb.readEdits((rows) => rows.between(from, to));
    const isDone =
      reading.kind === 'read' && (reading.value.length === 0 || this.options.onChanges(reading.value));
    // Locked, away, or not stored: the next minute's look must not be left out for want of a change.
    if (!isDone) this.changedSinceCold = true;
  }
}
