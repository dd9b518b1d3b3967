import type { Others } from '../store/incomingRecord.js';

/** How improbable it must be that one without a fault collects so many strikes. Ten times less than what may happen (1 in 1 000), as `others` is an estimate. */
const LEAST_CHANCE = 0.0001;

/**
 * Whether so many strikes show that the item itself is at fault, and not a backend that fails at random. How often an attempt at an
 * item without a fault fails, those show that were answered meanwhile (by the rule of succession, so that few of them prove
 * little). None but these count: an item that is never answered says nothing about the backend.
 */
export function isOwnFault(strikes: number, others: Others): boolean {
  const chance = (others.failures + 1) / (others.failures + others.answered + 2);
  return chance ** strikes < LEAST_CHANCE;
}
