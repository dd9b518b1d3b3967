import type { IncomingRecord } from '../store/incomingRecord.js';
import type { Random } from '../system/random.js';
import type { PostResult } from './ports.js';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
const STRIKES = 5;
const STRIKE_WINDOW_MS = 120_000;

export type PostRetry =
  | { kind: 'retry'; retryAt: number; strikes: number; firstStrikeAt: number | null }
  | { kind: 'park' };

/**
 * When a message that could not be posted is posted again. A poison message must not block its conversation: five
 * failures of the backend's own (5xx, timeout) within two minutes, while other requests succeed, park it.
 */
export function retryOf(
  record: IncomingRecord,
  result: Extract<PostResult, { kind: 'retry' }>,
  now: number,
  lastSuccessAt: number | undefined,
  random: Random,
): PostRetry {
  const isStrike = result.cause === 'server' || result.cause === 'timeout';
  const isFresh = record.firstStrikeAt === null || now - record.firstStrikeAt > STRIKE_WINDOW_MS;
  const firstStrikeAt = isStrike && isFresh ? now : record.firstStrikeAt;
  const strikes = isStrike ? (isFresh ? 1 : record.strikes + 1) : record.strikes;
  const othersSucceed =
    lastSuccessAt !== undefined && firstStrikeAt !== null && lastSuccessAt > firstStrikeAt;
  if (isStrike && strikes >= STRIKES && othersSucceed) return { kind: 'park' };
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** Math.min(record.attempts, 10), LONGEST_DELAY_MS);
  const jittered = (backoff / 2) * (1 + random());
  return {
    kind: 'retry',
    retryAt: now + Math.max(result.retryAfterMs ?? 0, jittered),
    strikes,
    firstStrikeAt,
  };
}
