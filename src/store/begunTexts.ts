import { hash } from 'node:crypto';
import { z } from 'zod';
import type { SendRecord } from '../model/sending.js';

/** So many are named in the witness at most, of so many restores, the newest: it has room for no more beside the rest. */
const MOST = 100;
/** Of texts that were given up as unknown so many at most, the newest. */
export const MOST_GIVEN_UP = 50;
const MOST_GROUPS = 16;
const MARK_LENGTH = 6;

/** What tells of a text; none of its words. */
export type MarkedText = Pick<SendRecord, 'conversation' | 'text' | 'file'>;

/**
 * The marks of texts that were begun to be sent and had no row in chat.db yet: whatever copy of the store is put back, Messages may
 * still write it. Each attempt has one, so that two of the same words are two. They are joined, in groups: `until` is the end of the gap
 * (Unix ms) that was found when their agent had been forgotten, and nothing that was wanted later is one of them; null for those of the
 * agent that writes the witness. `isGivenUp`: it had told of them as unknown, and did not look for their rows any more.
 */
export const begunSchema = z.array(
  z.object({
    until: z.number().nullable(),
    marks: z.string().regex(new RegExp(`^([\\w-]{${MARK_LENGTH}})*$`)),
    isGivenUp: z.literal(true).optional(),
  }),
);
type BegunTexts = z.infer<typeof begunSchema>;

/** The same where each of them is known to be of a time that ended then. */
export interface ForgottenTexts {
  until: number;
  marks: string;
}

/** Of the agents that were forgotten, and those of this one: what it gave up as unknown, and what is under way. */
export function begunTexts(
  earlier: readonly ForgottenTexts[],
  underWay: readonly MarkedText[],
  givenUp: readonly MarkedText[] = [],
): BegunTexts {
  const old: BegunTexts[number] = { until: null, marks: marksOf(givenUp), isGivenUp: true };
  return newest([...earlier, old, { until: null, marks: marksOf(underWay) }]);
}

/**
 * The same without the texts that the store knows itself as given up. Where some of them may be missing here, a mark might stand for
 * another text in the same words, and none is taken away.
 */
export function withoutKnown(begun: BegunTexts, known: readonly MarkedText[]): BegunTexts {
  const marks = known.map(markOf);
  const countOf = (groups: BegunTexts) => groups.flatMap((group) => split(group.marks)).length;
  const givenUp = begun.filter((group) => group.isGivenUp === true);
  if (countOf(begun) >= MOST || countOf(givenUp) >= MOST_GIVEN_UP) return begun;
  return begun.map((group) =>
    group.isGivenUp === true ? { ...group, marks: without(split(group.marks), marks).join('') } : group,
  );
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
  const told = witnessed.map(({ marks, until: end }) => ({ marks, until: end ?? until }));
  const ends = [...new Set([...earlier, ...told].map((group) => group.until))].toSorted((a, b) => a - b);
  const marksIn = (groups: readonly ForgottenTexts[], end: number) =>
    groups.flatMap((group) => (group.until === end ? split(group.marks) : []));
  const merged = ends.map((end) => {
    const before = marksIn(earlier, end);
    return { until: end, marks: [...before, ...without(marksIn(told, end), before)].join('') };
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
  if (taken === undefined) return [...begun];
  const { group, mark } = taken;
  const left = { ...group, marks: without(split(group.marks), [mark]).join('') };
  return newest(begun.map((other) => (other === group ? left : other)));
}

function found(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (until: number) => boolean,
): { group: ForgottenTexts; mark: string } | undefined {
  const marks = names.map(markOf);
  for (const group of begun) {
    const known = isOf(group.until) ? split(group.marks) : [];
    const mark = marks.find((one) => known.includes(one));
    if (mark !== undefined) return { group, mark };
  }
  return undefined;
}

/** By its letters, digits and symbols: white space, quotes, dashes and dots may be changed by Messages on the way. */
function markOf({ conversation, text, file }: MarkedText): string {
  const words = text.normalize('NFKC').replaceAll(/[^\p{L}\p{N}\p{S}]/gu, '');
  const name = file === null ? '' : (file.split('/').at(-1) ?? '');
  return hash('sha256', JSON.stringify([conversation, words, name]), 'base64url').slice(0, MARK_LENGTH);
}

function marksOf(texts: readonly MarkedText[]): string {
  return texts.map(markOf).join('');
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
