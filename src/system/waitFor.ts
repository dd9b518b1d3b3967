import type { Clock, Timer } from './clock.js';

/** A wait of so many ms that can be called off: one that is left behind keeps the process alive. */
export function waitFor(clock: Clock, ms: number): Timer & { over: Promise<void> } {
  let timer: Timer | undefined;
  const over = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve);
  });
  return { over, cancel: () => timer?.cancel() };
}
