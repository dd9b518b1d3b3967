import type { Clock, Timer } from './clock.js';

const TICK_MS = 2_000;
/** A gap this long between ticks means that the machine slept, the loop was blocked, or the clock was set. */
const GAP_MS = 10_000;

/** Notices, by its own ticks, that wall-clock time went on without us. */
export class WakeDetector {
  private timer: Timer | undefined;
  private expectedAt = 0;

  constructor(
    private readonly clock: Clock,
    private readonly onWake: (gapMs: number) => void,
  ) {}

  start(): void {
    this.expectedAt = this.clock.now() + TICK_MS;
    this.timer = this.clock.after(TICK_MS, () => {
      const gapMs = this.clock.now() - this.expectedAt;
      this.start();
      if (Math.abs(gapMs) > GAP_MS) this.onWake(gapMs);
    });
  }

  stop(): void {
    this.timer?.cancel();
  }
}
