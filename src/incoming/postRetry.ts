import type { PostResult } from '../model/incoming.js';
import type { IncomingRecord, Others } from '../store/incomingRecord.js';
import type { Random } from '../system/random.js';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
/** Failures of one message, each with proof that others got through. */
export const LEAST_STRIKES = 3;
const LEAST_ATTEMPTS = 5;
/** From the first strike to the one that sets the message aside. A backend that comes and goes must not add up to a verdict. */
const LEAST_SPAN_MS = 15_000;
/** "Later" is an answer: the backend has this long to keep its word. */
const LEAST_BUSY_SPAN_MS = 600_000;

type PostRetry =
  | { kind: 'retry'; retryAt: number; strikes: number; firstStrikeAt: number | null }
  | { kind: 'set_aside' };

/** Failures by which a message can show that it is the fault itself: somebody had the request and did not take it. */
function isAboutMessage(result: Extract<PostResult, { kind: 'retry' }>): boolean {
  return result.unread !== true && result.cause !== 'aborted';
}

/** What the answers to other messages prove. */
interface Proof {
  /** Another message was answered since this one failed last (at first, since its post began). */
  readonly isAnother: boolean;
  /** Those that were answered within so many ms, none with more failures than that. */
  readonly within: (ms: number, mostFailures: number) => Others;
}

/**
 * When a message that could not be posted is posted again, or that it is set aside because it must not block its conversation.
 * One rule, whatever the reason is: the failure of a post is a strike if another message was answered since this one failed
 * last. Three strikes 15 s or more apart (10 minutes where the backend asks to come later), and five attempts, set it aside, if so
 * many are more than what befalls messages that are answered in the end (`isOwnFault`). Nothing but an answer to a message is
 * proof: while no message is answered, none collects strikes, however long that lasts and whatever else works.
 */
export function retryOf(
  record: Pick<IncomingRecord, 'attempts' | 'strikes' | 'firstStrikeAt'>,
  result: Extract<PostResult, { kind: 'retry' }>,
  now: number,
  proof: Proof,
  random: Random,
): PostRetry {
  const isStrike = proof.isAnother && isAboutMessage(result);
  const strikes = record.strikes + (isStrike ? 1 : 0);
  const firstStrikeAt = isStrike ? Math.min(record.firstStrikeAt ?? now, now) : record.firstStrikeAt;
  const span = firstStrikeAt === null ? 0 : now - firstStrikeAt;
  const leastSpan = result.cause === 'busy' ? LEAST_BUSY_SPAN_MS : LEAST_SPAN_MS;
  const isEnough = strikes >= LEAST_STRIKES && record.attempts >= LEAST_ATTEMPTS && span >= leastSpan;
  // What was answered meanwhile: how the backend was before says nothing about how it is now.
  if (isStrike && isEnough && isOwnFault(strikes, proof.within(span, strikes))) return { kind: 'set_aside' };
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** Math.min(record.attempts, 10), LONGEST_DELAY_MS);
  const jittered = (backoff / 2) * (1 + random());
  return {
    kind: 'retry',
    retryAt: now + Math.max(result.retryAfterMs ?? 0, jittered),
    strikes,
    firstStrikeAt,
  };
}

/**
 * What shows that the backend takes messages: the answers to other messages since a message's last failure. Kept in memory
 * alone; after a restart the proof begins again, to the benefit of the message.
 */
export class AnswersToOthers {
  private answers = 0;
  /** How many answers there were at the last failure of a message, or when its first post began. */
  private readonly seenBy = new Map<number, number>();

  /** A message is posted; what was answered before it began is no proof. */
  began(seq: number): void {
    if (!this.seenBy.has(seq)) this.seenBy.set(seq, this.answers);
  }

  /** Whether another message was answered since this one's last failure. */
  any(seq: number): boolean {
    return this.answers > (this.seenBy.get(seq) ?? this.answers);
  }

  /** A post of the message failed: the next failure needs proof of its own. */
  failed(seq: number): void {
    this.seenBy.set(seq, this.answers);
  }

  /** The message was answered, by a reply or as known: the backend takes messages. */
  answered(seq: number): void {
    this.answers += 1;
    this.seenBy.delete(seq);
  }

  /** The message is not posted again. */
  forget(seq: number): void {
    this.seenBy.delete(seq);
  }
}

/** How improbable it must be that one without a fault collects so many strikes. Ten times less than what may happen (1 in 1 000), as `others` is an estimate. */
const LEAST_CHANCE = 0.0001;

/**
 * Whether so many strikes show that the item itself is at fault, and not a backend that fails at random. How often an attempt at an
 * item without a fault fails, those show that were answered meanwhile (by the rule of succession, so that few of them prove
 * little). None but these count: an item that is never answered says nothing about the backend.
 */
function isOwnFault(strikes: number, others: Others): boolean {
  const chance = (others.failures + 1) / (others.failures + others.answered + 2);
  return chance ** strikes < LEAST_CHANCE;
}
