import type { Clock } from '../../system/clock.js';

/** Owns every wait that is under way, so that none outlives the backend. */
export class Pauses {
  private readonly running = new Set<() => void>();
  private ended = false;

  constructor(private readonly clock: Clock) {}

  /** Resolves with true after `ms` (0 and less: at once), with false when the pauses are ended first. */
  wait(ms: number): Promise<boolean> {
    if (this.ended) return Promise.resolve(false);
    if (ms <= 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.clock.after(ms, () => {
        this.running.delete(cancel);
        resolve(true);
      });
      const cancel = () => {
        timer.cancel();
        resolve(false);
      };
      this.running.add(cancel);
    });
  }

  /** Like `wait` on a promise of the caller's instead of on time. */
  waitFor(opened: Promise<void>): Promise<boolean> {
    if (this.ended) return Promise.resolve(false);
    return new Promise((resolve) => {
      const cancel = () => resolve(false);
      this.running.add(cancel);
      void opened.then(() => {
        this.running.delete(cancel);
        resolve(true);
      });
    });
  }

  /** Cuts every pause short, now and from now on. */
  end(): void {
    this.ended = true;
    for (const cancel of this.running) cancel();
    this.running.clear();
  }
}
