import { parseRetryAfter } from '../../backend/HttpClient.js';
import type { Clock } from '../../system/clock.js';

/** For how long one request or handshake is put off in all, in ms. */
const MOST_MS = 60_000;

/** The backend answers 429 and does not say when to come again, or not before long: nothing can be judged. */
export class RateLimited extends Error {}

/** What a wait needs; `stop` ends it. */
export interface Patient {
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

/** One try, and the `Retry-After` of a 429. */
export interface Try<T> {
  readonly result: T;
  readonly limited?: { readonly retryAfter: string | null };
}

/** Tries until the answer is no 429, each time when the backend has asked for it. Rejects with `RateLimited` after a minute. */
export async function patiently<T>({ clock, stop }: Patient, attempt: () => Promise<Try<T>>): Promise<T> {
  for (let waited = 0; ; ) {
    const { result, limited } = await attempt();
    if (limited === undefined) return result;
    const ms = parseRetryAfter(limited.retryAfter ?? undefined, clock.now());
    if (ms === undefined) throw new RateLimited('429 without Retry-After');
    // Zero is no wait, and must not become a loop without a breath.
    waited += Math.max(ms, 100);
    if (waited > MOST_MS) throw new RateLimited(`429, to be tried again after ${Math.ceil(ms / 1_000)} s`);
    await pause(clock, Math.max(ms, 100), stop);
    stop.throwIfAborted();
  }
}

function pause(clock: Clock, ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(stop.aborted ? 0 : ms, end);
    stop.addEventListener('abort', end);
  });
}
