import { hash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { IncomingMessage } from '../model/incoming.js';
import type { SendRecord } from '../model/sending.js';
import { identityAt, identityOf } from './InstanceLock.js';
import { type ClockRecord, clockRecordSchema } from './macClock.js';

/** The maximum number of entries in the witness, and of restores; the newest are kept, because there is no room for more. */
const MOST = 100;
/** Of texts that were given up as unknown so many at most, the newest. */
export const MOST_GIVEN_UP = 50;
const MOST_GROUPS = 12;
const TEXT_LENGTH = 6;
const ATTEMPT_LENGTH = 2;
const MARK_LENGTH = TEXT_LENGTH + ATTEMPT_LENGTH;

/** Identifies a text without its words. */
export type MarkedText = Pick<SendRecord, 'conversation' | 'text' | 'file'>;
/** One attempt to send it: no other one has its tag. */
export type MarkedAttempt = MarkedText & Pick<SendRecord, 'tag'>;

/**
 * The marks of texts that were begun to be sent and had no row in chat.db yet: whatever copy of the store is put back, Messages may
 * still write it. Each attempt has one, of its text and of its tag, so that two of the same words are two. They are joined, in groups:
 * `until` is the end of the gap (Unix ms) that was found when their agent had been forgotten, and nothing that was wanted later is one of
 * them; null for those of the agent that writes the witness. `shownUntil`: the latest time that their clock had shown, where that is later.
 * `madeUntil`: the same by the backend's clock, once that is known.
 */
const begunSchema = z.array(
  z.object({
    until: z.number().nullable(),
    shownUntil: z.number().optional(),
    madeUntil: z.number().optional(),
    marks: z.string().regex(new RegExp(`^([\\w-]{${MARK_LENGTH}})*$`)),
  }),
);
type BegunTexts = z.infer<typeof begunSchema>;

/** When a gap ended (Unix ms): by our clock as it was then and, once that is known, by the backend's. */
export interface GapEnd {
  until: number;
  /** The latest time that the clock had shown to the forgotten agents, which may have been set back since; null: not known. */
  shownUntil?: number | null | undefined;
  madeUntil?: number | undefined;
}

/** The same where each of them is known to be of a time that ended then. */
export interface ForgottenTexts extends GapEnd {
  shownUntil?: number | undefined;
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
 * Those of an earlier gap of the store and those in the witness, when a gap is found that ends then. Both may be
 * of an earlier agent: the witness no longer has a text that this store still has to process again.
 */
export function forgottenTexts(
  earlier: readonly ForgottenTexts[],
  witnessed: BegunTexts,
  until: number,
  shownUntil: number | null = null,
): ForgottenTexts[] {
  const shown = shownUntil !== null && shownUntil > until ? { shownUntil } : {};
  const ended = witnessed.map((group) =>
    group.until === null ? { ...group, ...shown, until } : { ...group, until: group.until },
  );
  const ends = [...new Set([...earlier, ...ended].map((group) => group.until))].toSorted((a, b) => a - b);
  const marksIn = (groups: readonly ForgottenTexts[], end: number) =>
    groups.flatMap((group) => (group.until === end ? split(group.marks) : []));
  // The same attempt is recorded twice if an agent was killed before it settled what it found; the first time counts.
  const known: string[] = [];
  const merged = ends.map((end) => {
    const before = marksIn(earlier, end);
    const marks = without([...before, ...without(marksIn(ended, end), before)], known);
    known.push(...marks);
    const ofEnd = [...earlier, ...ended].filter((group) => group.until === end);
    const madeUntil = ofEnd.find((group) => group.madeUntil !== undefined)?.madeUntil;
    const latest = ofEnd.flatMap((group) => group.shownUntil ?? []);
    const shownOf = latest.length === 0 ? {} : { shownUntil: Math.max(...latest) };
    return { until: end, ...shownOf, madeUntil, marks: marks.join('') };
  });
  return newest(merged);
}

/** Whether one of them may be this text, under one of these names; `isOf`: whether the text may be of a time with this end. */
export function isBegun(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (end: GapEnd) => boolean,
): boolean {
  return found(begun, names, isOf) !== undefined;
}

/** Without the one that is assigned to this text. */
export function takenUp(
  begun: readonly ForgottenTexts[],
  names: readonly MarkedText[],
  isOf: (end: GapEnd) => boolean,
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
  isOf: (end: GapEnd) => boolean,
): FoundMark | undefined {
  const texts = names.map(textMark);
  return foundIn(begun, (mark, group) => isOf(group) && texts.includes(mark.slice(0, TEXT_LENGTH)));
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

/** So many marks are remembered at least once there were as many, and twice as many at most: the witness has them in its one page. */
const LEAST = 170;
const ANSWERED_MARK_LENGTH = 6;

/**
 * Identifies a message: its guid and its date, because iCloud may write it again under another guid, and not every row
 * has a date.
 */
export type MarkedMessage = Pick<IncomingMessage, 'guid' | 'sentAt'>;

/** The marks of one message: it may be the one that was meant if either is the same. */
export function marksOf({ guid, sentAt }: MarkedMessage): readonly string[] {
  return [guid, String(sentAt)].map((fact) =>
    hash('sha256', fact, 'base64url').slice(0, ANSWERED_MARK_LENGTH),
  );
}

const marks = z.string().regex(new RegExp(`^([\\w-]{${ANSWERED_MARK_LENGTH}})*$`));

const answeredSchema = z.object({ older: marks, since: z.int(), newer: marks, newerSince: z.int() });

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
  const noted = answeredMarks(newer);
  const fresh = marksOf(message).filter((mark) => !noted.includes(mark));
  if (fresh.length === 0) return known;
  if (noted.length < LEAST) return { ...known, newer: newer + fresh.join('') };
  return { older: newer, since: newerSince, newer: marksOf(message).join(''), newerSince: counter };
}

export function allMarks({ older, newer }: AnsweredMessages): readonly string[] {
  return answeredMarks(older + newer);
}

function answeredMarks(joined: string): readonly string[] {
  return joined.match(new RegExp(`.{${ANSWERED_MARK_LENGTH}}`, 'g')) ?? [];
}

/** What is recorded outside of the state directory of the store that was last at work on a chat.db. Times are Unix ms. */
export interface WitnessRecord {
  store: string;
  counter: number;
  aliveAt: number;
  /** Its state directory. */
  directory: string;
  /** Above all revisions of acks that were ever given (`LedgerGap.revisions`). */
  revisions: number;
  /** Which messages it began to answer; undefined: it was of a version that did not record that. */
  answered?: AnsweredMessages | undefined;
  /** The texts that it had begun to send, and that had no row in chat.db yet. */
  begun: z.infer<typeof begunSchema>;
  /** What the clock of this Mac showed; left out: it was of a version that did not record that. */
  clocks?: ClockRecord;
  /** The latest time that the clock of this Mac showed while an agent was at work; left out: the same. */
  shownUntil?: number | undefined;
}

/** One page, so that a write is complete or absent, whenever the process is killed. */
const SIZE = 4096;

const recordSchema = z.object({
  file: z.string(),
  store: z.string(),
  counter: z.int(),
  aliveAt: z.number(),
  directory: z.string(),
  revisions: z.int().default(0),
  answered: answeredSchema.optional().catch(undefined),
  begun: begunSchema.catch([]),
  clocks: clockRecordSchema.default([]).catch([]),
  shownUntil: z.number().optional().catch(undefined),
});

/**
 * A small file outside the state directory that records the progress of the store in use. It is written after the
 * commit that it records, so it is never ahead of that store: if it is, an older copy of the store was restored. It
 * names the file that it is itself, so a copy of it that is restored with the store proves nothing.
 */
export class Witness {
  private constructor(
    private readonly path: string,
    private fd: number,
  ) {}

  /** Opens or makes the file (mode 0600). Throws what node:fs throws. */
  static open(path: string): Witness {
    return new Witness(path, opened(path));
  }

  /** Undefined: nothing was recorded, or this is a copy of the file in which it was. Throws what node:fs throws. */
  read(): WitnessRecord | undefined {
    const bytes = Buffer.alloc(SIZE);
    const length = readSync(this.fd, bytes, 0, SIZE, 0);
    const parsed = recordSchema.safeParse(parse(bytes.toString('utf8', 0, length)));
    if (!parsed.success || parsed.data.file !== identityOf(fstatSync(this.fd))) return undefined;
    const { file: _, ...record } = parsed.data;
    return record;
  }

  /**
   * Outlives the process at once, and a power cut if `durable`. A file that was removed since is made again. Throws what node:fs throws.
   */
  write(record: WitnessRecord, durable: boolean): void {
    const whole = { file: this.reopenIfGone(), ...record };
    const text = JSON.stringify(whole);
    const bytes = Buffer.alloc(SIZE, ' ');
    // The name of a directory may be of any length: what is only of use goes before what must be there.
    bytes.write(Buffer.byteLength(text) <= SIZE ? text : JSON.stringify({ ...whole, answered: undefined }));
    writeSync(this.fd, bytes, 0, SIZE, 0);
    if (durable) fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Writes to an unlinked file would be lost. Returns the identity of the open file. */
  private reopenIfGone(): string {
    const file = identityOf(fstatSync(this.fd));
    if (identityAt(this.path) === file) return file;
    const fd = opened(this.path);
    closeSync(this.fd);
    this.fd = fd;
    return identityOf(fstatSync(fd));
  }
}

/**
 * The witnesses in a folder that this state directory wrote last, with the lock next to each and SQLite's files for it.
 * The owner of an unreadable one is not known.
 */
export function witnessesOf(folder: string, directory: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const own = names.flatMap((name) => /^(chatdb-[0-9a-f]{16}\.)witness$/.exec(name)?.[1] ?? []);
  return own
    .filter((start) => writerOf(join(folder, `${start}witness`)) === directory)
    .flatMap((start) => names.filter((name) => name.startsWith(start)))
    .map((name) => join(folder, name));
}

function writerOf(path: string): string | undefined {
  try {
    const witness = Witness.open(path);
    try {
      return witness.read()?.directory;
    } finally {
      witness.close();
    }
  } catch {
    return undefined;
  }
}

function opened(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
