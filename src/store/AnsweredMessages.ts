import { hash } from 'node:crypto';
import { z } from 'zod';
import type { IncomingMessage } from '../model/incoming.js';

/** So many marks are remembered at least once there were as many, and twice as many at most: the witness has them in its one page. */
const LEAST = 170;
const MARK_LENGTH = 6;

/** What tells of a message: its guid, and its date, for iCloud may write it again under another guid, and not every row has a date. */
export type MarkedMessage = Pick<IncomingMessage, 'guid' | 'sentAt'>;

/** The marks of one message: it may be the one that was meant if either is the same. */
export function marksOf({ guid, sentAt }: MarkedMessage): readonly string[] {
  return [guid, String(sentAt)].map((fact) => hash('sha256', fact, 'base64url').slice(0, MARK_LENGTH));
}

const marks = z.string().regex(new RegExp(`^([\\w-]{${MARK_LENGTH}})*$`));

export const answeredSchema = z.object({ older: marks, since: z.int(), newer: marks, newerSince: z.int() });

/**
 * The marks of the messages of which an answer was begun to be sent, in two generations. None is missing of those that were begun
 * when the counter of the store was `since` or more: whatever copy of the store is put back, what it forgot is here.
 */
export type AnsweredMessages = z.infer<typeof answeredSchema>;

/** Nothing is known of before this counter. */
export function answeredFrom(counter: number): AnsweredMessages {
  return { older: '', since: counter, newer: '', newerSince: counter };
}

/** The same with one more, which was begun at this counter. What was begun before the newer generation is noted in that again. */
export function withAnswered(
  known: AnsweredMessages,
  message: MarkedMessage,
  counter: number,
): AnsweredMessages {
  const { newer, newerSince } = known;
  const noted = split(newer);
  const fresh = marksOf(message).filter((mark) => !noted.includes(mark));
  if (fresh.length === 0) return known;
  if (noted.length < LEAST) return { ...known, newer: newer + fresh.join('') };
  return { older: newer, since: newerSince, newer: marksOf(message).join(''), newerSince: counter };
}

export function allMarks({ older, newer }: AnsweredMessages): readonly string[] {
  return split(older + newer);
}

function split(joined: string): readonly string[] {
  return joined.match(new RegExp(`.{${MARK_LENGTH}}`, 'g')) ?? [];
}
