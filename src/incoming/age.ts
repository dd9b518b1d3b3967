import type { Outage } from '../store/outages.js';

interface AgeLimits {
  /** How old a message may get while both ends are up, in ms. */
  maxAgeMs: number;
  /** How old it may get in any case, in ms. */
  catchUpMs: number;
}

/** Whether a message is still worth an answer: its age does not count the time in which nobody could have answered. */
export function isWorthAnswering(
  sentAt: number,
  now: number,
  outages: readonly Outage[],
  limits: AgeLimits,
): boolean {
  const age = now - sentAt;
  if (age <= limits.maxAgeMs) return true;
  if (age > limits.catchUpMs) return false;
  return age - overlap(sentAt, now, outages) <= limits.maxAgeMs;
}

/** How much of [from, to] lies in outages; where they overlap it counts once. */
function overlap(from: number, to: number, outages: readonly Outage[]): number {
  const clipped = outages
    .map((outage) => ({ from: Math.max(outage.from, from), to: Math.min(outage.to ?? to, to) }))
    .filter((outage) => outage.to > outage.from)
    .toSorted((a, b) => a.from - b.from);
  let total = 0;
  let reached = from;
  for (const outage of clipped) {
    total += Math.max(0, outage.to - Math.max(outage.from, reached));
    reached = Math.max(reached, outage.to);
  }
  return total;
}
