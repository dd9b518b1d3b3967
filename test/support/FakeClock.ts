import type { Clock, Timer } from '../../src/system/clock.js';

interface Entry {
  due: number;
  order: number;
  run: () => void;
}

/** A clock that moves only when told. Timers run in order of their due time; wall time can be set apart. */
export class FakeClock implements Clock {
  private entries: Entry[] = [];
  private elapsed = 0;
  private order = 0;

  constructor(private wallOrigin = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.wallOrigin + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(ms: number, run: () => void): Timer {
    const entry = { due: this.elapsed + Math.max(ms, 0), order: this.order++, run };
    this.entries.push(entry);
    return {
      cancel: () => {
        this.entries = this.entries.filter((other) => other !== entry);
      },
    };
  }

  /** Moves the wall clock alone, as a person or NTP would. */
  jumpWall(ms: number): void {
    this.wallOrigin += ms;
  }

  /** Moves time on, running every timer that falls due, in order. */
  advance(ms: number): void {
    const end = this.elapsed + ms;
    for (;;) {
      const next = this.nextDue();
      if (next === undefined || next.due > end) break;
      this.elapsed = Math.max(this.elapsed, next.due);
      this.entries = this.entries.filter((other) => other !== next);
      next.run();
    }
    this.elapsed = end;
  }

  /** Like `advance`, letting promises settle between timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    await settle();
    for (;;) {
      const next = this.nextDue();
      if (next === undefined || next.due > end) break;
      this.elapsed = Math.max(this.elapsed, next.due);
      this.entries = this.entries.filter((other) => other !== next);
      next.run();
      await settle();
    }
    this.elapsed = end;
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.entries.length;
  }

  private nextDue(): Entry | undefined {
    return this.entries.toSorted((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
