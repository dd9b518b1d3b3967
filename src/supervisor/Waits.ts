import type { Clock, Timer } from '../system/clock.js';

/** Waits that all end at once when their owner stops. */
export class Waits {
  private readonly pending = new Map<Timer, () => void>();
  private ended = false;

  constructor(private readonly clock: Clock) {}

  /** Resolves after `ms`, or at `end`; at once after that. */
  pause(ms: number): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.clock.after(ms, () => {
        this.pending.delete(timer);
        resolve();
      });
      this.pending.set(timer, resolve);
    });
  }

  /** Ends every wait permanently. Idempotent. */
  end(): void {
    this.ended = true;
    for (const [timer, resolve] of this.pending) {
      timer.cancel();
      resolve();
    }
    this.pending.clear();
  }
}
