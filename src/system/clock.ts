/** A pending call. `cancel` is idempotent; after it the call never happens. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, as everything in the agent sees it; tests hand in their own.
 * `now` is wall-clock Unix time in ms, for records and for "is it due"; it may jump.
 * `monotonic` is ms from an arbitrary origin, for intervals; it never goes back.
 */
export interface Clock {
  now(): number;
  monotonic(): number;
  /**
   * Calls `run` once after `ms` (0 and less: as soon as possible). Any length of wait is honoured. `loosely`: up to a second earlier or
   * later, together with others of that kind, for what merely looks now and again: one wake-up of the machine serves all.
   */
  after(ms: number, run: () => void, how?: 'loosely'): Timer;
}

/** The instants at which what is done loosely is done, in ms of the monotonic clock. */
const GRID_MS = 2_000;

/** setTimeout fires at once beyond this many ms (a signed 32-bit count), so longer waits go in pieces. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(asked, run, how) {
    const now = performance.now();
    const due = how === 'loosely' ? onGrid(now, asked) : now + asked;
    const ms = due - now;
    let handle: NodeJS.Timeout;
    let turn: NodeJS.Immediate | undefined;
    const arm = (left: number) => {
      handle = setTimeout(
        () => {
          const rest = due - performance.now();
          if (rest > 1) arm(rest);
          // What arrived while the loop was blocked is read first: a deadline is not missed by what is there already.
          else turn = setImmediate(run);
        },
        Math.min(Math.max(left, 0), LONGEST_TIMEOUT),
      );
    };
    arm(ms);
    return {
      cancel: () => {
        clearTimeout(handle);
        clearImmediate(turn);
      },
    };
  },
};

/** The instant of the grid that is nearest; the next but one where that is less than half a step ahead. */
function onGrid(now: number, ms: number): number {
  return Math.max(Math.round((now + ms) / GRID_MS), Math.round(now / GRID_MS) + 1) * GRID_MS;
}

/** Resolves after `ms` on the given clock. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** Wall-clock time as if the clock had not been set since now, in Unix ms. */
export function steadyNow(clock: Clock): () => number {
  const origin = clock.now() - clock.monotonic();
  return () => origin + clock.monotonic();
}

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
    this.timer = this.clock.after(
      TICK_MS,
      () => {
        const gapMs = this.clock.now() - this.expectedAt;
        this.start();
        if (Math.abs(gapMs) > GAP_MS) this.onWake(gapMs);
      },
      'loosely',
    );
  }

  stop(): void {
    this.timer?.cancel();
  }
}

/**
 * Stored times (Unix ms) as they count for waits, whatever the wall clock was set to. Two rules: *what is tried again
 * may be tried early, never late* (`now` to store when it is due, `left`), and *what is given up after a time may be
 * given up late, never early* (`age`, `waited`). Within a run the monotonic clock decides; it is not known by which
 * clock an earlier run stored a time.
 */
export class SteadyTime {
  /** Wall-clock time as if the clock had not been set since the start, in Unix ms. */
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

  /** The minimum age of something from then, in ms. For ages of hours and days, which increase while no agent runs. */
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
