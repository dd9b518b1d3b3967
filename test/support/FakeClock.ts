import type { Clock, Timer } from '../../src/system/clock.js';

interface Entry {
  due: number;
  run: () => void;
}

/** A clock that moves only on request. Timers run in order of their due time; wall time can be set apart. */
export class FakeClock implements Clock {
  /** The next one first; of those due at one time the one that was set first. */
  private readonly entries: Entry[] = [];
  private elapsed = 0;

  constructor(private wallOrigin = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.wallOrigin + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(ms: number, run: () => void): Timer {
    const entry = { due: this.elapsed + Math.max(ms, 0), run };
    this.entries.splice(this.entries.findLastIndex(({ due }) => due <= entry.due) + 1, 0, entry);
    return {
      cancel: () => {
        const place = this.entries.indexOf(entry);
        if (place !== -1) this.entries.splice(place, 1);
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
    for (let next = this.takeDue(end); next !== undefined; next = this.takeDue(end)) next.run();
    this.elapsed = end;
  }

  /** Moves time on as if the process did not run: what falls due meanwhile runs when time moves on next. */
  block(ms: number): void {
    this.elapsed += ms;
  }

  /** Like `advance`, letting promises settle between timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    await settle();
    for (let next = this.takeDue(end); next !== undefined; next = this.takeDue(end)) {
      next.run();
      await settle();
    }
    this.elapsed = end;
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.entries.length;
  }

  /** The next timer that is due by `end`, at its time; undefined: there is none. */
  private takeDue(end: number): Entry | undefined {
    const next = this.entries[0];
    if (next === undefined || next.due > end) return undefined;
    this.entries.shift();
    this.elapsed = Math.max(this.elapsed, next.due);
    return next;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
