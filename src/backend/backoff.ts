import type { Random } from '../system/random.js';

/** The base waits of protocol §3 in ms; the last one repeats for ever. */
export const RECONNECT_STEPS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/**
 * How long to wait before the dial that follows failure number `step` (0 for the first), in ms: d × [1, 2).
 * The jitter is a factor, so it stays alive at the cap and a fleet never dials in step. `chance` is in [0, 1).
 */
export function reconnectDelay(
  step: number,
  chance: number,
  steps: readonly number[] = RECONNECT_STEPS_MS,
): number {
  const base = steps[Math.min(Math.max(step, 0), steps.length - 1)] ?? 0;
  return base * (1 + chance);
}

/**
 * How long after a failed request the next one may start, in ms: doubling from `firstMs`, at most `longestMs`
 * before a jitter of up to a fifth. Never less than `firstMs`, even where that is beyond `longestMs`.
 */
export function retryDelay(failures: number, firstMs: number, longestMs: number, random: Random): number {
  if (failures <= 0) return firstMs;
  const grown = firstMs * 2 ** Math.min(failures, 30);
  return Math.max(Math.min(grown, longestMs) * (1 - random() / 5), firstMs);
}

/**
 * `Retry-After` in ms (RFC 9110 §10.2.3: seconds or an HTTP date); undefined for anything else.
 * Bounded to an hour, so that one wrong header cannot silence the agent.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  if (!Number.isFinite(ms)) return undefined;
  return Math.min(Math.max(ms, 0), 3_600_000);
}
