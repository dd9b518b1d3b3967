const FIRST_MS = 500;
const LONGEST_MS = 10_000;
/** The agent has said that it is too much: this long at least. */
const CALM_MS = 10_000;

/** How long to wait before attempt `attempt` (from 1), in ms: it doubles, and chance keeps many clients apart. */
export function backoff(attempt: number, chance: number, calm: boolean): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  return (calm ? CALM_MS : whole / 2) + (chance * whole) / 2;
}
