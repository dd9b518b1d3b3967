/** So many at once, and so many a second in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Limits a rate: a bucket that refills over time. */
export class RateLimit {
  private left: number;
  private at: number | undefined;

  constructor(private readonly rate: Rate) {
    this.left = rate.burst;
  }

  /** Counts one; false if that is one too many. `now` is monotonic, in ms. */
  take(now: number): boolean {
    if (this.available(now) < 1) return false;
    this.left -= 1;
    return true;
  }

  /** What is left; below 0 where more was spent than there was. */
  available(now: number): number {
    const { burst, perSecond } = this.rate;
    const passed = now - (this.at ?? now);
    this.at = now;
    this.left = Math.min(burst, this.left + (passed * perSecond) / 1000);
    return this.left;
  }

  /** Counts what was not known before. It may be more than there was: the debt is a whole `burst` at most. */
  spend(amount: number, now: number): void {
    this.left = Math.max(-this.rate.burst, this.available(now) - amount);
  }
}
