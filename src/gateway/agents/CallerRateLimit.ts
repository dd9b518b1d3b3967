import type { Clock } from '../../system/clock.js';

/** How many requests one caller may make. */
export interface CallerRate {
  /** In the long run. */
  perSecond: number;
  /** At once, after a time of quiet. */
  burst: number;
}

/** A refused caller uses up so many requests. */
export const REFUSAL_COST = 10;

/** How many callers are kept in mind before those are forgotten that have been quiet for long enough. */
const TIDY_AT = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/**
 * A bucket of requests for each caller, filled at a steady rate. Without a rate nothing is limited. Verified callers
 * are counted by their identity, all others by address: behind a proxy all share one address, and strangers must not
 * use up the agents' limit.
 */
export class CallerRateLimit {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly clock: Clock,
    private readonly rate: CallerRate | undefined,
  ) {}

  /** Counts a request, unless this caller must wait: then the whole seconds until it may ask again. 0: it may. */
  take(caller: string, cost = 1): number {
    if (this.rate === undefined) return 0;
    const bucket = this.bucket(caller, this.rate);
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / this.rate.perSecond));
    // At most one burst of debt, so that a flood is forgiven in the end.
    bucket.left = Math.max(-this.rate.burst, bucket.left - cost);
    this.buckets.set(caller, bucket);
    if (this.buckets.size > TIDY_AT) this.tidy(this.rate);
    return 0;
  }

  private bucket(caller: string, { perSecond, burst }: CallerRate): Bucket {
    const now = this.clock.monotonic();
    const known = this.buckets.get(caller);
    if (known === undefined) return { left: burst, at: now };
    return { left: Math.min(burst, known.left + ((now - known.at) / 1000) * perSecond), at: now };
  }

  private tidy(rate: CallerRate): void {
    for (const caller of this.buckets.keys()) {
      if (this.bucket(caller, rate).left >= rate.burst) this.buckets.delete(caller);
    }
  }
}
