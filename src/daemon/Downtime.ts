import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';

const MARK_EVERY_MS = 30_000;
/** While the store takes no writes, the mark is also what finds out that it takes them again. */
const TRY_EVERY_MS = 2_000;
/** Names when the agent was last alive (Unix ms) among the small facts of the store. */
export const ALIVE_AT = 'alive_at';

/** Remembers when the agent was alive, so that messages do not age while it was not. */
export class Downtime {
  private timer: Timer | undefined;
  private markedAt = 0;
  /** The stretch before this life, until it is stored. */
  private past: { from: number; to: number } | undefined;
  private aliveAt: number | undefined;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    /** Done with each mark, inside its write. */
    private readonly marked: () => void = () => undefined,
  ) {}

  /** Records the stretch since the last mark of an earlier life, then marks this one. */
  start(): void {
    const aliveAt = Number(this.store.meta.get(ALIVE_AT) ?? Number.NaN);
    const now = this.clock.now();
    if (!Number.isNaN(aliveAt)) this.aliveAt = aliveAt;
    if (aliveAt < now) this.past = { from: aliveAt, to: now };
    this.mark();
  }

  /** When an earlier life was last known to be alive, Unix ms; undefined if there was none. Known after `start`. */
  get aliveBefore(): number | undefined {
    return this.aliveAt;
  }

  stop(): void {
    this.timer?.cancel();
    this.store.tryWrite(() => this.note());
  }

  /** The machine slept: no answer was possible meanwhile. */
  slept(gapMs: number): void {
    const now = this.clock.now();
    if (gapMs > 0) this.store.tryWrite(() => this.store.outages.record('agent', now - gapMs, now));
  }

  private tick(): void {
    const isDue = this.clock.monotonic() - this.markedAt >= MARK_EVERY_MS;
    if (isDue || this.store.fault() !== undefined || !this.store.isInPlace()) this.mark();
    else this.tickLater();
  }

  private mark(): void {
    const { past } = this;
    const marked = this.store.tryWrite(() => {
      if (past !== undefined) this.store.outages.record('agent', past.from, past.to);
      this.note();
    });
    if (marked) {
      this.past = undefined;
      this.markedAt = this.clock.monotonic();
    }
    this.tickLater();
  }

  private note(): void {
    this.marked();
    this.store.meta.set(ALIVE_AT, String(this.clock.now()));
    this.store.lineage.advance();
  }

  private tickLater(): void {
    this.timer = this.clock.after(TRY_EVERY_MS, () => this.tick(), 'loosely');
  }
}
