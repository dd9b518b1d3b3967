import type { Clock } from '../../system/clock.js';

/** What became of a promise that was given some time; `ended`: the pauses ended first. */
type Came<T> = { kind: 'came'; value: T } | { kind: 'late' } | { kind: 'ended' };

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

  /** What a promise of the caller's comes to within `ms`. Rejects as the promise does. */
  within<T>(promise: Promise<T>, ms: number): Promise<Came<T>> {
    if (this.ended) {
      // No one waits for it any more: an error in it must not end the process as an unhandled rejection.
      promise.catch(() => undefined);
      return Promise.resolve({ kind: 'ended' });
    }
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(ms, () => finish(() => resolve({ kind: 'late' })));
      const cancel = () => finish(() => resolve({ kind: 'ended' }));
      const finish = (end: () => void) => {
        timer.cancel();
        this.running.delete(cancel);
        end();
      };
      this.running.add(cancel);
      promise.then(
        (value) => finish(() => resolve({ kind: 'came', value })),
        (mistake) => finish(() => reject(mistake)),
      );
    });
  }

  /** Cuts every pause short, now and from now on. */
  end(): void {
    this.ended = true;
    for (const cancel of this.running) cancel();
    this.running.clear();
  }
}
