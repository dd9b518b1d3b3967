import type { Clock, Timer } from '../../system/clock.js';

/** A deadline that may be changed while it is awaited. */
export class Deadline {
  private timer: Timer | undefined;
  private isOver = false;
  private readonly missed: Promise<never>;
  private miss: (error: Error) => void = () => undefined;

  /** `late` makes the error of what is not over in time. */
  constructor(
    private readonly clock: Clock,
    private readonly late: () => Error,
  ) {
    this.missed = new Promise<never>((_, reject) => {
      this.miss = reject;
    });
    // There may be no waiter yet, or any more.
    this.missed.catch(() => undefined);
  }

  /** From now on it is `ms` away, unless it is over. */
  setTo(ms: number): void {
    if (this.isOver) return;
    this.timer?.cancel();
    this.timer = this.clock.after(ms, () => this.miss(this.late()));
  }

  /**
   * What `promise` gives, if that is in time; otherwise rejects with what `late` makes. `promise` is not ended by that: its owner does so
   * in `late`, or before it uses again what the promise is about. The deadline is over with it.
   */
  async of<T>(promise: Promise<T>): Promise<T> {
    try {
      return await Promise.race([promise, this.missed]);
    } finally {
      this.isOver = true;
      this.timer?.cancel();
    }
  }
}

/** As `Deadline.of`, with a deadline that stays. */
export async function withinDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  const deadline = new Deadline(clock, late);
  deadline.setTo(ms);
  return deadline.of(promise);
}
