import type { Clock } from './clock.js';

/** Wall-clock time as it would be if nobody had set the clock since now, in Unix ms. */
export function steadyNow(clock: Clock): () => number {
  const origin = clock.now() - clock.monotonic();
  return () => origin + clock.monotonic();
}
