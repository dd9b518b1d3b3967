/** How many of the newest measurements are kept. */
const KEPT = 10_000;

/** What the newest measurements come to, in ms; null where there are none. */
interface LatencySummary {
  count: number;
  p50: number | null;
  p99: number | null;
  longest: number | null;
}

/** Measurements in ms, of which the newest are kept. */
export class Latencies {
  private readonly newest: number[] = [];
  private counted = 0;

  add(ms: number): void {
    this.newest[this.counted % KEPT] = ms;
    this.counted += 1;
  }

  /** `count` includes all that were ever added, the rest only the newest 10 000. */
  summary(): LatencySummary {
    const sorted = [...this.newest].sort((a, b) => a - b);
    const at = (share: number) =>
      rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
    return { count: this.counted, p50: at(0.5), p99: at(0.99), longest: rounded(sorted.at(-1)) };
  }
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
