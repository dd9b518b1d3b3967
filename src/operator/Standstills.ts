import type { Clock } from '../system/clock.js';

/** For how long something has waited without any of its kind getting on. `since` is Unix ms. */
export interface Standstill {
  readonly since: number;
  readonly ms: number;
}

/** What is seen at a look: whether something waits, whether a known fault keeps it, and a mark that changes when one gets on. */
interface Seen {
  readonly waits: boolean;
  readonly isHeld: boolean;
  readonly mark: number | null;
}

/** Those who look do so every 5 s. What is longer was sleep, or a blocked loop: no time to get on with anything. */
const LONGEST_LOOK_MS = 15_000;

/**
 * Measures at each check how long something has waited without a known cause. A backlog that makes progress never
 * counts as stuck, however old it is. While a known fault blocks it, the time runs backwards, so that items have time
 * to proceed after an outage.
 */
class Watch {
  private ms = 0;
  private since: number | null = null;
  private mark: number | null = null;
  private lookedAt = 0;

  constructor(private readonly clock: Clock) {}

  /** Null where nothing waits. */
  look({ waits, isHeld, mark }: Seen): Standstill | null {
    const now = this.clock.monotonic();
    const passed = Math.min(now - this.lookedAt, LONGEST_LOOK_MS);
    this.lookedAt = now;
    const hasBegun = waits && this.since !== null && mark === this.mark;
    this.mark = mark;
    this.ms = hasBegun ? Math.max(0, this.ms + (isHeld ? -passed : passed)) : 0;
    if (!waits) this.since = null;
    else if (this.since === null || this.ms === 0) this.since = this.clock.now();
    return this.since === null ? null : { since: this.since, ms: this.ms };
  }
}

type Kind = 'reading' | 'posts' | 'acks' | 'uploads' | 'schedule';

/** One measure for each kind of work; to be looked at every 5 s. */
export class Standstills {
  private readonly watches: Readonly<Record<Kind, Watch>>;

  constructor(clock: Clock) {
    const watch = () => new Watch(clock);
    this.watches = { reading: watch(), posts: watch(), acks: watch(), uploads: watch(), schedule: watch() };
  }

  look(seen: Readonly<Record<Kind, Seen>>): Record<Kind, Standstill | null> {
    const { reading, posts, acks, uploads, schedule } = this.watches;
    return {
      reading: reading.look(seen.reading),
      posts: posts.look(seen.posts),
      acks: acks.look(seen.acks),
      uploads: uploads.look(seen.uploads),
      schedule: schedule.look(seen.schedule),
    };
  }
}
