import type { Clock, Timer } from '../../system/clock.js';

/**
 * What `promise` gives, if that is within `ms`; otherwise rejects with what `late` makes. `promise` is not ended by that: its owner does
 * so in `late`, or before it uses again what the promise is about.
 */
export async function withinDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  let timer: Timer | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = clock.after(ms, () => reject(late()));
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    timer?.cancel();
  }
}
