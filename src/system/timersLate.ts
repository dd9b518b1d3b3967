import { type Clock, sleep } from './clock.js';

/** How long timers are watched, in ms. */
export const WATCHED_MS = 2_000;
const TICK_MS = 50;

/** By how many ms the latest of our timers is late within WATCHED_MS: App Nap, their coalescing and a busy machine delay them. */
export async function timersLate(clock: Clock): Promise<number> {
  const end = clock.monotonic() + WATCHED_MS;
  let worst = 0;
  while (clock.monotonic() < end) {
    const due = clock.monotonic() + TICK_MS;
    await sleep(clock, TICK_MS);
    worst = Math.max(worst, clock.monotonic() - due);
  }
  return Math.round(worst);
}
