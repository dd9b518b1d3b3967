import { hash } from 'node:crypto';
import { z } from 'zod';
import type { SendRecord } from '../model/sending.js';

/** So many are named in the witness at most, of so many restores, the newest: it has room for no more beside the rest. */
const MOST = 100;
/** Of texts that were given up as unknown so many at most, the newest. */
export const MOST_GIVEN_UP = 50;
const MOST_GROUPS = 16;
const TEXT_LENGTH = 6;
const ATTEMPT_LENGTH = 2;
const MARK_LENGTH = TEXT_LENGTH + ATTEMPT_LENGTH;

/** What tells of a text; none of its words. */
export type MarkedText = Pick<SendRecord, 'conversation' | 'text' | 'file'>;
/** One attempt to send it: no other one has its tag. */
export type MarkedAttempt = MarkedText & Pick<SendRecord, 'tag'>;

/**
 * The marks of texts that were begun to be sent and had no row in chat.db yet: whatever copy of the store is put back, Messages may
 * still write it. Each attempt has one, of its text and of its tag, so that two of the same words are two. They are joined, in groups:
 * `until` is the end of the gap (Unix ms) that was found when their agent had been forgotten, and nothing that was wanted later is one of
 * them; null for those of the agent that writes the witness.
 */
export const begunSchema = z.array(
  z.object({
    until: z.number().nullable(),
    marks: z.string().regex(new RegExp(`^([\\w-]{${MARK_LENGTH}})*$`)),
  }),
);
type BegunTexts = z.infer<typeof begunSchema>;

/** The same where each of them is known to be of a time that ended then. */
export interface ForgottenTexts {
  until: number;
  marks: string;
}

/** Of the agents that were forgotten, and those of this one, the newest last. */
export function begunTexts(
  earlier: readonly ForgottenTexts[],
  attempts: readonly MarkedAttempt[],
): BegunTexts {
  return newest([...earlier, { until: null, marks: attempts.map(markOf).join('') }]);
}

/** The same without these attempts, of which the store itself knows that they were made. */
export function withoutKnown(begun: BegunTexts, known: readonly MarkedAttempt[]): BegunTexts {
  const marks = known.map(markOf);
  return begun.map((group) => ({ ...group, marks: without(split(group.marks), marks).join('') }));
}

/**
 * Those of an earlier gap of the store and those of which the witness tells, now that a gap is found that ends at `until`. Of an earlier
 * agent each may tell: the witness does no longer of a text that this store has yet to take up again.
 */
export function forgottenTexts(
  earlier: readonly ForgottenTexts[],
  witnessed: BegunTexts,
  until: number,
): ForgottenTexts[] {
  const ended = witnessed.map(({ marks, until: end }) => ({ marks, until: end ?? until }));
  const ends = [...new Set([...earlier, ...ended].map((group) => group.until))].toSorted((a, b) => a - b);
  const marksIn = (groups: readonly ForgottenTexts[], end: number) =>
    groups.flatMap((group) => (group.until === end ? split(group.marks) : []));
  // The same attempt is told of twice where an agent died before it had settled what it found: it is of the first of these times.
  const known: string[] = [];
  const merged = ends.map((end) => {
    const before = marksIn(earlier, end);
    const marks = without([...before, ...without(marksIn(ended, end), before)], known);
    known.push(...marks);
    return { until: end, marks: marks.join('') };
  });
  return newest(merged);
}

/** Whether one of them may be this text, under one of these names; `isOf`: whether the text may be of a time that ended then. */
export function isBegun(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (until: number) => boolean,
): boolean {
  return found(begun, names, isOf) !== undefined;
}

/** Without the one that is taken for this text. */
export function takenUp(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (until: number) => boolean,
): ForgottenTexts[] {
  const taken = found(begun, names, isOf);
  return taken === undefined ? [...begun] : withoutMark(begun, taken);
}

/** Whether this very attempt is one of them, under one of these names. */
export function isAttempt(begun: readonly ForgottenTexts[], names: readonly MarkedAttempt[]): boolean {
  return foundAttempt(begun, names) !== undefined;
}

/** Without this very attempt. */
export function withoutAttempt(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedAttempt[],
): ForgottenTexts[] {
  const taken = foundAttempt(begun, names);
  return taken === undefined ? [...begun] : withoutMark(begun, taken);
}

interface FoundMark {
  group: ForgottenTexts;
  mark: string;
}

function withoutMark(begun: readonly ForgottenTexts[], { group, mark }: FoundMark): ForgottenTexts[] {
  const left = { ...group, marks: without(split(group.marks), [mark]).join('') };
  return newest(begun.map((other) => (other === group ? left : other)));
}

function found(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (until: number) => boolean,
): FoundMark | undefined {
  const texts = names.map(textMark);
  return foundIn(begun, (mark, group) => isOf(group.until) && texts.includes(mark.slice(0, TEXT_LENGTH)));
}

function foundAttempt(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedAttempt[],
): FoundMark | undefined {
  const marks = names.map(markOf);
  return foundIn(begun, (mark) => marks.includes(mark));
}

function foundIn(
  begun: readonly ForgottenTexts[],
  isIt: (mark: string, group: ForgottenTexts) => boolean,
): FoundMark | undefined {
  for (const group of begun) {
    const mark = split(group.marks).find((one) => isIt(one, group));
    if (mark !== undefined) return { group, mark };
  }
  return undefined;
}

function markOf(attempt: MarkedAttempt): string {
  return textMark(attempt) + digest(attempt.tag ?? '').slice(0, ATTEMPT_LENGTH);
}

/** By its letters, digits and symbols: white space, quotes, dashes and dots may be changed by Messages on the way. */
function textMark({ conversation, text, file }: MarkedText): string {
  const words = text.normalize('NFKC').replaceAll(/[^\p{L}\p{N}\p{S}]/gu, '');
  const name = file === null ? '' : (file.split('/').at(-1) ?? '');
  return digest(JSON.stringify([conversation, words, name])).slice(0, TEXT_LENGTH);
}

function digest(fact: string): string {
  return hash('sha256', fact, 'base64url');
}

function newest<Group extends { marks: string }>(groups: readonly Group[]): Group[] {
  let left = MOST;
  const kept: Group[] = [];
  for (const group of groups.toReversed()) {
    const marks = left === 0 ? [] : split(group.marks).slice(-left);
    left -= marks.length;
    if (marks.length > 0 && kept.length < MOST_GROUPS) kept.unshift({ ...group, marks: marks.join('') });
  }
  return kept;
}

/** Each of the others takes one of them away. */
function without(marks: readonly string[], others: readonly string[]): string[] {
  const left = [...marks];
  for (const other of others) {
    const index = left.indexOf(other);
    if (index >= 0) left.splice(index, 1);
  }
  return left;
}

function split(joined: string): readonly string[] {
  return joined.match(new RegExp(`.{${MARK_LENGTH}}`, 'g')) ?? [];
}
