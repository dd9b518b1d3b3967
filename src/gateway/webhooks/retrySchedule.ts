import type { Random } from '../../system/random.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The pauses between attempts that Standard Webhooks proposes, as far as they fit into a day. */
const PAUSES_MS: readonly number[] = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR];

/** So long after its event a delivery is tried for the last time, and then set aside. */
export const GIVE_UP_MS = 24 * HOUR;

/** A pause may be longer by so much, so that what failed together is not repeated together. */
const JITTER = 0.1;

/**
 * When an event is tried again after its attempt number `attempts` failed; undefined: never. `createdAt` is when it was first to be
 * sent. All times are Unix ms; the last attempt is a day after `createdAt`. `retryAfterMs` is what the receiver asked for: a longer
 * pause counts, a shorter one does not.
 */
export function nextAttempt(
  {
    attempts,
    createdAt,
    now,
    retryAfterMs,
  }: { attempts: number; createdAt: number; now: number; retryAfterMs: number },
  random: Random,
): number | undefined {
  const last = createdAt + GIVE_UP_MS;
  if (now >= last) return undefined;
  const pause = (PAUSES_MS[attempts - 1] ?? GIVE_UP_MS) * (1 + JITTER * random());
  return Math.min(Math.round(now + Math.max(pause, retryAfterMs)), last);
}
