import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';

const MARK_EVERY_MS = 30_000;
const ALIVE_AT = 'alive_at';

/** Remembers when the agent was alive, so that messages do not age while it was not. */
export class Downtime {
  private timer: Timer | undefined;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  /** Records the stretch since the last mark of an earlier life, then marks this one. */
  start(): void {
    const aliveAt = Number(this.store.meta.get(ALIVE_AT) ?? Number.NaN);
    const now = this.clock.now();
    if (aliveAt < now) this.store.write(() => this.store.outages.record('agent', aliveAt, now));
    this.mark();
  }

  stop(): void {
    this.timer?.cancel();
    this.store.tryWrite(() => this.store.meta.set(ALIVE_AT, String(this.clock.now())));
  }

  /** The machine slept: nobody could have answered meanwhile. */
  slept(gapMs: number): void {
    const now = this.clock.now();
    if (gapMs > 0) this.store.tryWrite(() => this.store.outages.record('agent', now - gapMs, now));
  }

  private mark(): void {
    this.store.tryWrite(() => this.store.meta.set(ALIVE_AT, String(this.clock.now())));
    this.timer = this.clock.after(MARK_EVERY_MS, () => this.mark());
  }
}
