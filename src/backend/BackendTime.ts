import type { Problem } from '../model/problem.js';
import type { ClockSkew } from '../store/macClock.js';
import type { Clock } from '../system/clock.js';

/** The headers of an answer that say when it was made. */
export interface DatedHeaders {
  readonly date?: string | undefined;
  /** There only if something between us and the backend kept the answer (RFC 9111, 5.1). */
  readonly age?: string | undefined;
}

const MOST_SAMPLES = 9;
/** `Date` has whole seconds, and an answer takes its time: samples this close, in ms, agree. */
const AGREEMENT_MS = 5_000;
/** `Date` is truncated to the second, so the instant is half a second later on average. */
const HALF_A_SECOND = 500;
/** Beyond this the clocks count as different, ms. */
const SKEW_MS = 60_000;
/** No backend is older, and none comes from so far ahead. */
const PLAUSIBLE = { from: Date.UTC(2020, 0, 1), to: Date.UTC(2100, 0, 1) };

/**
 * The time of the backend's clock, learnt from the `Date` of its answers and continued by the monotonic clock, so that
 * setting this machine's clock does not change it. Certain once two answers agree; then it is the median of the newest
 * nine, so that a single wrong or cached answer has no effect.
 */
export class BackendTime {
  /** The backend's time (Unix ms) when the monotonic clock was 0, by each answer, the oldest first. */
  private samples: readonly number[] = [];
  /** The result of the samples, cached until there are new ones, because each command needs it. */
  private known: { readonly isCertain: boolean; readonly origins: readonly number[] } | undefined;
  /** What was known before the machine slept, or its clock was set. */
  private doubted: number | undefined;
  private skewedFrom: number | null = null;

  constructor(private readonly clock: Clock) {}

  /** An answer of the backend itself has just come in. */
  note({ date, age }: DatedHeaders): void {
    const at = date === undefined ? Number.NaN : Date.parse(date);
    const isKept = age !== undefined && age.trim() !== '0';
    if (isKept || !(at >= PLAUSIBLE.from && at < PLAUSIBLE.to)) return;
    const origin = at + HALF_A_SECOND - this.clock.monotonic();
    if (this.doubted !== undefined) {
      if (this.samples.length === 0 && agree(origin, this.doubted)) this.samples = [this.doubted];
      this.doubted = undefined;
    }
    const newest = this.samples.at(-1);
    // Two in a row that agree with each other but not with all before: the backend's clock was set.
    if (newest !== undefined && agree(newest, origin) && !agree(median(this.samples), origin))
      this.samples = [newest];
    this.samples = [...this.samples, origin].slice(-MOST_SAMPLES);
    this.known = undefined;
    this.isSkewed();
  }

  /** The machine slept or its clock was set: the monotonic clock may have stopped, so the next answer decides. */
  doubt(): void {
    if (this.samples.length === 0) return;
    this.doubted = median(this.samples);
    this.samples = [];
    this.known = undefined;
  }

  /** The backend's clock minus ours in ms; null before the first answer. */
  get skewMs(): number | null {
    const [origin] = this.knowledge().origins;
    return origin === undefined ? null : origin + this.clock.monotonic() - this.clock.now();
  }

  /** The same, and whether it is certain. */
  skew(): ClockSkew | null {
    const { skewMs } = this;
    return skewMs === null ? null : { ms: skewMs, isCertain: this.knowledge().isCertain };
  }

  /**
   * How old something is, in ms, that was made at this instant (Unix ms) of the backend's clock. Before the backend's time
   * is certain: by whichever clock it is younger.
   */
  ageOf(madeAt: number): number {
    return Math.min(...this.agesOf(madeAt));
  }

  /** Like `ageOf`, but by the clock by which it is older: for callers that must not underestimate the age. */
  mostAgeOf(madeAt: number): number {
    return Math.max(...this.agesOf(madeAt));
  }

  /** Since when the clocks differ too much, and how; null while they do not, or that is not certain. */
  problem(): Problem<number> | null {
    if (!this.isSkewed() || this.skewedFrom === null) return null;
    const skewMs = this.skewMs ?? 0;
    const seconds = Math.round(Math.abs(skewMs) / 1_000);
    return {
      code: 'clock_skew',
      since: this.skewedFrom,
      message: `The clock of this machine is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} the backend's; the age of commands is measured by the backend's clock, scheduled texts by this machine's.`,
      remedy:
        'Correct the wrong clock; on the Mac: System Settings → General → Date & Time → set automatically.',
    };
  }

  private isSkewed(): boolean {
    const isSkewed = this.knowledge().isCertain && Math.abs(this.skewMs ?? 0) > SKEW_MS;
    if (!isSkewed) this.skewedFrom = null;
    else this.skewedFrom ??= this.clock.now();
    return isSkewed;
  }

  private agesOf(madeAt: number): readonly number[] {
    const monotonic = this.clock.monotonic();
    const { isCertain, origins } = this.knowledge();
    const byBackend = origins.map((origin) => origin + monotonic - madeAt);
    return isCertain ? byBackend : [...byBackend, this.clock.now() - madeAt];
  }

  /** `origins`: what the backend's time may count from: the one if it is certain, else all that was said. */
  private knowledge() {
    this.known ??= knowledgeOf(this.samples, this.doubted);
    return this.known;
  }
}

function knowledgeOf(samples: readonly number[], doubted: number | undefined) {
  const middle = median(samples);
  const isCertain = samples.filter((origin) => agree(origin, middle)).length >= 2;
  if (isCertain) return { isCertain, origins: [middle] };
  const said = samples.toReversed();
  return { isCertain, origins: doubted === undefined ? said : [...said, doubted] };
}

function agree(one: number, other: number): boolean {
  return Math.abs(one - other) <= AGREEMENT_MS;
}

/** The lower one of the middle two: always a sample. NaN for none. */
function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}
