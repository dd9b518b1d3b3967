import { type Clock, systemClock, type Timer } from '../../src/system/clock.js';

/** The real clock, which knows how many of its timers are pending. */
export class CountingClock implements Clock {
  pending = 0;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(ms: number, run: () => void): Timer {
    let open = true;
    const settle = () => {
      if (open) this.pending -= 1;
      open = false;
    };
    this.pending += 1;
    const timer = systemClock.after(ms, () => {
      settle();
      run();
    });
    return {
      cancel: () => {
        settle();
        timer.cancel();
      },
    };
  }
}
