import type { Clock } from './clock.js';
import { steadyNow } from './clock.js';

/**
 * Stored times (Unix ms) as they count for waits, whatever the wall clock was set to. Two rules: *what is tried again may be tried
 * early, never late* (`now` to store when it is due, `left`), and *what is given up after a time may be given up late, never early*
 * (`age`, `waited`). Within a life the monotonic clock decides; nothing tells by which clock an earlier life stored a time.
 */
export class SteadyTime {
  /** Wall-clock time as it would be if nobody had set the clock since the start, in Unix ms. */
  readonly now: () => number;
  private readonly startedAt: number;

  constructor(private readonly clock: Clock) {
    this.now = steadyNow(clock);
    this.startedAt = clock.monotonic();
  }

  /** How long until something that is due then, in ms. Nothing is put off by more than `longest`: what is due later is due now. */
  left(due: number, longest: number): number {
    const left = due - this.now();
    return left > longest ? 0 : Math.max(0, left);
  }

  /** How old something of then is at least, in ms. For ages of hours and days, which go on while no agent runs. */
  age(at: number): number {
    return Math.max(0, Math.min(this.clock.now(), this.now()) - at);
  }

  /**
   * How long something of then has been waited for, in ms, by whichever clock says less: each life of the agent waits the whole time,
   * and no longer where an earlier one stored a time that is yet to come.
   */
  waited(at: number): number {
    const life = this.clock.monotonic() - this.startedAt;
    const byClocks = [this.clock.now() - at, this.now() - at].filter((ms) => ms >= 0);
    return Math.min(life, ...byClocks);
  }
}
