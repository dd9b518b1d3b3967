import type { Random } from '../../system/random.js';

/**
 * The class of a request: new work; incoming messages, which wait for their answers; or agent traffic (syncs, acks,
 * registrations), which has priority over both.
 */
export type LoadKind = 'work' | 'messages' | 'life';

/** So many requests of a kind are under way at once: each holds memory, and most wait for the database. */
const MOST: Readonly<Record<LoadKind, number>> = { work: 1_000, messages: 4_000, life: 4_000 };

/** What is new is refused while that which waits for the database has waited for so long, in ms: more would make all of it late. */
const LATE_MS = 2_000;

/** Who is refused comes again after 1 to so many seconds, by chance: not all at once. */
const LONGEST_PAUSE_SECONDS = 5;

/** Refuses requests that cannot be served soon, before anything is spent on them. */
export class LoadGate {
  private readonly underWay: Record<LoadKind, number> = { work: 0, messages: 0, life: 0 };

  constructor(
    private readonly parts: {
      /** How long what waits for the database has waited, in ms. */
      readonly waitingMs: () => number;
      readonly random: Random;
      /** Called for each refused request, for counters. */
      readonly onRefused?: () => void;
    },
    private readonly limits = { most: MOST, lateMs: LATE_MS },
  ) {}

  /** Lets a request in; gives what is to be called at its end. Undefined: it is to come again. */
  enter(kind: LoadKind): (() => void) | undefined {
    const { most, lateMs } = this.limits;
    const isFull = this.underWay[kind] >= most[kind];
    if (isFull || (kind !== 'life' && this.parts.waitingMs() >= lateMs)) {
      this.parts.onRefused?.();
      return undefined;
    }
    this.underWay[kind] += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.underWay[kind] -= 1;
      isOver = true;
    };
  }

  /** For `Retry-After`. */
  pauseSeconds(): number {
    return 1 + Math.floor(this.parts.random() * LONGEST_PAUSE_SECONDS);
  }
}
