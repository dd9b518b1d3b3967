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
  /** Calls `run` once after `ms` (0 and less: as soon as possible). Any length of wait is honoured. */
  after(ms: number, run: () => void): Timer;
}

/** setTimeout fires at once beyond this many ms (a signed 32-bit count), so longer waits go in pieces. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const due = performance.now() + ms;
    let handle: NodeJS.Timeout;
    const arm = (left: number) => {
      handle = setTimeout(
        () => {
          const rest = due - performance.now();
          if (rest > 1) arm(rest);
          else run();
        },
        Math.min(Math.max(left, 0), LONGEST_TIMEOUT),
      );
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `ms` on the given clock. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
