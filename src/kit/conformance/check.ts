import type { ConformanceRun } from './ConformanceRun.js';

/**
 * MISSING: the backend has no such endpoint. SKIP: does not apply here, was not asked for, or cannot be judged because of what came
 * of something before it.
 */
export type ConformanceVerdict = 'PASS' | 'FAIL' | 'MISSING' | 'SKIP';

/** Of several round trips, in ms. */
interface Latency {
  readonly samples: number;
  readonly p50_ms: number;
  readonly longest_ms: number;
}

/** What one check did and saw, for the author of the backend. Contains no secret or token. */
export interface ConformanceOutcome {
  readonly verdict: ConformanceVerdict;
  readonly sent: string;
  readonly came: string;
  readonly latency?: Latency;
}

/** The test of one clause of docs/protocol.md. Ends on its own; an exception counts as FAIL. */
export interface ConformanceCheck {
  /** Named in docs/conformance.md and in reports: never changed. */
  readonly id: string;
  /** The clause of docs/protocol.md, as in `P3.4`. */
  readonly clause: string;
  readonly title: string;
  readonly expected: string;
  /** Checks that must have passed; without them this one has nothing to stand on, and is skipped. */
  readonly needs?: readonly string[];
  /** Checks that must not have failed: they would be to blame for whatever this one saw. */
  readonly unless?: readonly string[];
  readonly run: (run: ConformanceRun) => Promise<ConformanceOutcome>;
}

/** A check with what came of it. `ms`: how long it took. */
export interface CheckResult extends ConformanceOutcome {
  readonly id: string;
  readonly clause: string;
  readonly title: string;
  readonly expected: string;
  readonly ms: number;
}

export function judge(holds: boolean, sent: string, came: string, latency?: Latency): ConformanceOutcome {
  return { verdict: holds ? 'PASS' : 'FAIL', sent, came, ...(latency === undefined ? {} : { latency }) };
}

/** The endpoint is not there. `without`: what does not work without it. */
export function missing(sent: string, came: string, without: string): ConformanceOutcome {
  return { verdict: 'MISSING', sent, came: `${came}: ${without}` };
}

/** `why` says also how to have it judged, where there is a way. */
export function skip(why: string, sent = 'nothing'): ConformanceOutcome {
  return { verdict: 'SKIP', sent, came: why };
}

/** Expects at least one sample, in ms. */
export function latencyOf(samples: readonly number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b);
  const rounded = (ms: number | undefined) => Math.round((ms ?? 0) * 10) / 10;
  return {
    samples: sorted.length,
    p50_ms: rounded(sorted[Math.floor((sorted.length - 1) / 2)]),
    longest_ms: rounded(sorted.at(-1)),
  };
}
