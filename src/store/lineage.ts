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
import type { Clock } from '../system/clock.js';
import { type AnsweredMessages, answeredSchema, type MarkedMessage, marksOf } from './AnsweredMessages.js';
import {
  begunSchema,
  type ForgottenTexts,
  isAttempt,
  isBegun,
  type MarkedAttempt,
  type MarkedText,
  takenUp,
  withoutAttempt,
} from './begunTexts.js';
import { identityAt, identityOf } from './fileIdentity.js';
import type { MetaTable } from './meta.js';
import type { CommitHooks } from './outbox.js';
import type { RowOrder } from './seenRows.js';
import { rowWatchedMs } from './sendRecord.js';

/**
 * What a store records of itself: a random id, the file that it was last opened as (`inode:birth time`), and a counter that grows
 * with each start, stop, attempt to send, ack and every 30 s. A copy that is put back later has a lower one.
 */
interface Lineage {
  id: string;
  file: string;
  counter: number;
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
}

/**
 * How the store relates to what was done on this Mac. `older`: it did more than it knows. `copied`: it is another file than it was,
 * and nothing tells what was done since. `replaced`: another state directory was at work since. `rebuilt`: a damaged file was
 * salvaged. `new`: an empty store, and nothing tells of an earlier one.
 */
export type GapReason = 'older' | 'copied' | 'replaced' | 'rebuilt' | 'new';

/**
 * A time of which the send ledger is not complete: a row of chat.db from then that it does not know may be a text of the agent.
 * Rows after `afterRow` (in that generation of chat.db, while no ROWIDs were given out anew since `movedAt`), else after `from`, up
 * to `until`; by whatever date, up to `untilRow`, the newest one when the gap was found, null while that is not known. Times are Unix
 * ms; null: since ever.
 */
export interface LedgerGap extends RowOrder {
  reason: GapReason;
  afterRow: number | null;
  untilRow: number | null;
  from: number | null;
  until: number;
  /** When it was found: from then on this store is at work, and a backend offers again what it has no ack of. */
  foundAt: number;
  /** Texts behind this seq are of no command that a backend offered again after that; null: it may still offer some. */
  offeredUpTo: number | null;
  /** The store had the texts up to this seq when it was found; it was given those behind it since. */
  knownSends: number;
  /** Above all revisions of acks that may have been given before it. */
  revisions: number;
  /** Until when an agent is known to have been at work; null: nothing tells. */
  activeUntil: number | null;
  /** When the store that was put back was last at work itself; null: nothing tells. */
  copiedAt: number | null;
  /** Whether the rows are noted that chat.db had then and the store did not know (`GapRow`). Nothing is compared before. */
  areRowsNoted: boolean;
  /** Which messages were answered by agents that the store forgot, for each time that it was put back; null: not known. */
  answered: readonly ForgottenAnswers[] | null;
  /** The texts that agents had begun to send when they ended, that had no row in chat.db yet, and that no text of the store is. */
  begun: readonly ForgottenTexts[];
}

/**
 * The marks of the messages that had been begun to be answered when the store was put back, but those of an earlier time: among them
 * are all of which it does not know that.
 */
interface ForgottenAnswers {
  /** The store had the texts up to this seq. */
  knownSends: number;
  marks: readonly string[];
}

/**
 * An outgoing row of chat.db that the store had neither judged nor as a proof when a gap was found. It is of the gap whatever its
 * date, for the clock may have been wrong when it was written.
 */
interface GapRow {
  guid: string;
  /** Unix ms. */
  sentAt: number | null;
  /** The store had the texts up to this seq when it did not know the row yet: it was written after each of them was stored. */
  knownSends: number;
  /** Its date is from before the store was last at work: the clock was behind in the gap. */
  isBackdated: boolean;
  /** Another store was at work then, which may never have had what this one had; left out: a later state of this one. */
  isOfAnother?: boolean;
}

export type Standing =
  | { kind: 'current' }
  | { kind: 'gap'; reason: GapReason; activeUntil: number | null; directory: string | null };

/** The rule: whether a store knows everything that was done. `own` is undefined for one that has never recorded itself. */
export function standingOf(seen: {
  own: Lineage | undefined;
  /** The file that the store is now. */
  file: string;
  /** Undefined: there is none, or it was copied or restored itself and proves nothing. */
  witness: WitnessRecord | undefined;
  /** Nothing was ever stored in it. */
  isEmpty: boolean;
  isRebuilt: boolean;
}): Standing {
  const { own, file, witness, isEmpty, isRebuilt } = seen;
  const gap = (reason: GapReason, known?: WitnessRecord): Standing => ({
    kind: 'gap',
    reason,
    activeUntil: known?.aliveAt ?? null,
    directory: known?.directory ?? null,
  });
  if (isRebuilt) return gap('rebuilt', witness);
  if (witness !== undefined && witness.store !== own?.id) return gap('replaced', witness);
  if (own === undefined) return isEmpty ? gap('new') : { kind: 'current' };
  if (witness !== undefined)
    return witness.counter > own.counter ? gap('older', witness) : { kind: 'current' };
  return own.file === file ? { kind: 'current' } : gap('copied');
}

/** A row of chat.db as far as it lies in a gap. `sentAt` is Unix ms. */
interface DatedRow {
  guid: string;
  rowId: number;
  sentAt: number | null;
}

/** Whether the place or the date of a row tells that it is of the gap. `order` is that of the chat.db that is open. */
export function isInGap(gap: LedgerGap, { rowId, sentAt }: Omit<DatedRow, 'guid'>, order: RowOrder): boolean {
  if (sentAt === null) return false;
  const isSameOrder = gap.generation === order.generation && gap.movedAt === order.movedAt;
  // A clock that was ahead dates rows of the gap behind its end.
  const isBefore = sentAt <= gap.until || (isSameOrder && gap.untilRow !== null && rowId <= gap.untilRow);
  if (!isBefore) return false;
  if (gap.afterRow !== null && isSameOrder) return rowId > gap.afterRow;
  return gap.from === null || sentAt > gap.from;
}

/** What gaps of earlier versions lack: they say nothing of it. */
const EARLIER_GAP = {
  untilRow: null,
  movedAt: null,
  knownSends: 0,
  foundAt: 0,
  revisions: 0,
  copiedAt: null,
  offeredUpTo: null,
  areRowsNoted: true,
  answered: null,
  begun: [],
} as const;

/**
 * `to_it`: to a message of its guid, so that most likely its answer lies behind it. `to_its_date`: to one of its date alone, as which
 * iCloud had written it before, in front of the answer. `perhaps`: nothing tells.
 */
export type RecordedAnswer = 'to_it' | 'to_its_date' | 'perhaps' | 'none';

/** Within this time after it could first offer something, a backend has offered again all that it has no ack of, in ms. */
const OFFERED_WITHIN_MS = 600_000;
/** It is counted at each mark of the agent (30 s). What lies longer between two looks was slept through: nothing could be offered. */
const LOOKS_APART_MS = 60_000;

const ANY_TIME: (until: number) => boolean = () => true;
const LINEAGE = 'lineage';
const COUNTER = 'lineage_counter';
const GAP = 'ledger_gap';
const GAP_ROWS = 'ledger_gap_rows';
/** So many rows of gaps are kept, the newest: those behind them are known by their dates alone. */
const MOST_GAP_ROWS = 5000;
const SINCE_EVER = {
  reason: 'rebuilt',
  generation: null,
  afterRow: null,
  from: null,
  activeUntil: null,
} as const;

/** The lineage of this store and the gap in its ledger, kept with its small facts. */
export class LineageTable {
  private readonly listeners: ((counter: number) => void)[] = [];
  private readonly answerListeners: ((message: MarkedMessage | undefined, counter: number) => void)[] = [];
  private counter = 0;
  private known: LedgerGap | undefined;
  private rows: ReadonlyMap<string, GapRow> = new Map();
  private hasBackdated = false;
  /** When it was last looked (monotonic) whether the backend can offer again what it has no ack of; undefined: it cannot. */
  private offeringSeenAt: number | undefined;
  /** For how long it could before that, in this life, in ms. */
  private offeredBefore = 0;

  constructor(
    private readonly meta: MetaTable,
    private readonly hooks: CommitHooks & { onRollback(hook: () => void): void },
    private readonly clock: Pick<Clock, 'now' | 'monotonic'>,
    /** Every name of a conversation: a group may have had another one when the text was begun. */
    private readonly namesOf: (conversation: string) => readonly string[] = (name) => [name],
  ) {
    this.reload();
    hooks.onRollback(() => this.reload());
  }

  private reload(): void {
    const { meta, clock } = this;
    this.counter = Number(meta.get(COUNTER) ?? 0);
    this.rows = byGuid(meta.list<GapRow>(GAP_ROWS) ?? []);
    this.hasBackdated = isAnyBackdated(this.rows);
    this.known = undefined;
    if (meta.get(GAP) === undefined) return;
    // Of a gap that cannot be read any time up to now may be one of it.
    const gap = meta.object<LedgerGap>(GAP) ?? { ...SINCE_EVER, until: clock.now() };
    this.known = { ...EARLIER_GAP, ...gap };
  }

  /** Undefined: it has never recorded itself. */
  own(): Lineage | undefined {
    const written = this.meta.object<Omit<Lineage, 'counter'>>(LINEAGE);
    return written === undefined ? undefined : { ...written, counter: this.counter };
  }

  /** The time of which the ledger is not complete; undefined: it is. */
  gap(): LedgerGap | undefined {
    return this.known;
  }

  /** What was noted of this row when a gap was found. */
  gapRow(guid: string): GapRow | undefined {
    return this.rows.get(guid);
  }

  /** The rows that were noted when a gap was found. */
  gapRows(): readonly GapRow[] {
    return [...this.rows.values()];
  }

  /** Whether the clock of this Mac was behind in a gap, as the date of a row from then tells. */
  wasClockBehind(): boolean {
    return this.hasBackdated;
  }

  /**
   * Whether an agent that was forgotten had begun to send a text like this when it ended, and had not seen its row. `isOf`: whether the
   * text may be of a time that ended then (Unix ms); any time if left out.
   */
  isBegun(text: MarkedText, isOf = ANY_TIME): boolean {
    return this.known !== undefined && isBegun(this.known.begun, this.byNames(text), isOf);
  }

  /** Until when (Unix ms) Messages may yet write the row of such a text; undefined: there was none. */
  rowComesUntil(text: MarkedText): number | undefined {
    if (this.known === undefined || !this.isBegun(text)) return undefined;
    return this.known.foundAt + rowWatchedMs(text);
  }

  /** Inside a write: the attempt of a forgotten agent is this text's from now on, and no other's. */
  takeUp(text: MarkedText, isOf: (until: number) => boolean): void {
    if (this.known === undefined) return;
    this.known = { ...this.known, begun: takenUp(this.known.begun, this.byNames(text), isOf) };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /**
   * Whether a forgotten agent that had this very attempt under way, as the copy of its store has it, could not tell when it ended whether
   * the text went out: what the copy has of it proves no less.
   */
  isForgotten(attempt: MarkedAttempt): boolean {
    return this.known !== undefined && isAttempt(this.known.begun, this.byNames(attempt));
  }

  /** Inside a write: the end of this very attempt is looked for, so it is no other text's. */
  takeUpAttempt(attempt: MarkedAttempt): void {
    if (this.known === undefined || !this.isForgotten(attempt)) return;
    this.known = { ...this.known, begun: withoutAttempt(this.known.begun, this.byNames(attempt)) };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /**
   * Whether a text with this seq, or what comes now, may be of a command that an agent had before it was forgotten. `within`: what is
   * offered again comes within so many ms in which the backend can offer it.
   */
  isOfferedAgain({ seq = Number.POSITIVE_INFINITY, within = OFFERED_WITHIN_MS } = {}): boolean {
    if (this.known === undefined) return false;
    const { offeredUpTo } = this.known;
    if (offeredUpTo !== null) return seq <= offeredUpTo;
    return within >= OFFERED_WITHIN_MS || this.offeredMs() < within;
  }

  /** The backend can offer commands, and what it offers is stored. What it offers again comes soon. */
  noteOffering(): void {
    this.offeredBefore = this.offeredMs();
    this.offeringSeenAt = this.clock.monotonic();
  }

  /** The backend is away, and can offer nothing meanwhile. */
  pauseOffering(): void {
    this.offeredBefore = this.offeredMs();
    this.offeringSeenAt = undefined;
  }

  /** What the backend has offered may not have been stored: it offers that once more. */
  forgetOffering(): void {
    this.offeredBefore = 0;
    this.offeringSeenAt = undefined;
  }

  /**
   * Inside a write, now and again: no text behind this seq is of a command that was offered again, once the backend could offer all
   * within one life, by the monotonic clock, of which what was slept through does not count.
   */
  endOffering(newestSend: number): void {
    if (this.known === undefined || this.known.offeredUpTo !== null) return;
    if (this.offeringSeenAt !== undefined) this.noteOffering();
    if (this.offeredMs() < OFFERED_WITHIN_MS) return;
    this.known = { ...this.known, offeredUpTo: newestSend };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /** Whether a row is of the time of which the ledger is not complete. `order` is that of the chat.db that is open. */
  isInGap(row: DatedRow, order: RowOrder): boolean {
    if (this.known === undefined) return false;
    return this.rows.has(row.guid) || isInGap(this.known, row, order);
  }

  /** Inside a write, before chat.db is read on: these are the rows of the gap that was found last. */
  noteGapRows(rows: readonly Pick<GapRow, 'guid' | 'sentAt'>[]): void {
    if (this.known === undefined) return;
    const { knownSends, copiedAt, reason } = this.known;
    const isBackdated = (sentAt: number | null) => sentAt !== null && copiedAt !== null && sentAt < copiedAt;
    const found = rows.filter(({ guid }) => !this.rows.has(guid));
    const noted = found.map(({ guid, sentAt }) => ({
      guid,
      sentAt,
      knownSends,
      isBackdated: isBackdated(sentAt),
      ...(reason === 'replaced' ? { isOfAnother: true } : {}),
    }));
    const all = [...this.rows.values(), ...noted];
    this.known = { ...this.known, areRowsNoted: true };
    this.rows = byGuid(all.slice(-MOST_GAP_ROWS));
    this.hasBackdated = isAnyBackdated(this.rows);
    this.meta.set(GAP, JSON.stringify(this.known));
    this.meta.set(GAP_ROWS, JSON.stringify([...this.rows.values()]));
  }

  /** Inside a write, before anything goes out: no row behind this one is of the gap, but by its date. */
  endGapAt(rowId: number): void {
    if (this.known === undefined || this.known.untilRow !== null) return;
    this.known = { ...this.known, untilRow: rowId };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /** Inside a write: this is the store from now on, ahead of whatever was counted before. */
  record(lineage: Lineage, gap: LedgerGap | undefined): void {
    const { id, file, counter } = lineage;
    this.meta.set(LINEAGE, JSON.stringify({ id, file }));
    this.counter = counter;
    if (gap !== undefined) {
      this.meta.set(GAP, JSON.stringify(gap));
      this.known = gap;
    }
    this.advance();
  }

  /**
   * Inside a write: a gap that ends in the future was recorded while the clock was ahead, and ends now (Unix ms). `isFuture` is asked
   * of its end, so that a clock that is behind ends none too early.
   */
  endGapBy(now: number, isFuture: (at: number) => boolean): void {
    if (this.known === undefined || this.known.until <= now || !isFuture(this.known.until)) return;
    this.known = { ...this.known, until: now, foundAt: Math.min(this.known.foundAt, now) };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /** Inside a write that goes with something which an older copy of the store would not know. */
  advance(): void {
    this.counter += 1;
    this.meta.set(COUNTER, String(this.counter));
    this.hooks.afterCommit(this.announce);
  }

  /**
   * Inside a write, before what hands a text to Messages is put off until after it: as `advance`, and told before that, also where
   * something else advances the counter in the same write.
   */
  beginAttempt(): void {
    this.advance();
    this.hooks.afterCommit(() => this.announce());
  }

  /** Calls `listener` after each commit that advanced the counter. */
  onAdvanced(listener: (counter: number) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Inside a write, before what sends a text: it answers this message. Announced after the commit, before what is put off until then
   * behind it. Undefined: nothing is known of the message any more.
   */
  beginAnswer(message: MarkedMessage | undefined): void {
    this.hooks.afterCommit(() => {
      for (const listener of this.answerListeners) listener(message, this.counter);
    });
  }

  /** Calls `listener` after each commit with which an answer is begun, before it goes out. */
  onAnswer(listener: (message: MarkedMessage | undefined, counter: number) => void): void {
    this.answerListeners.push(listener);
  }

  /**
   * How it is recorded that an agent that was forgotten began to answer this message before the store had the reply with this seq: that
   * agent's may have been another one.
   */
  answerTo(message: MarkedMessage, seq: number): RecordedAnswer {
    if (this.known === undefined) return 'none';
    const { answered } = this.known;
    if (answered === null) return 'perhaps';
    const marks = answered.filter(({ knownSends }) => knownSends < seq).flatMap((gap) => gap.marks);
    const [byGuid, byDate] = marksOf(message).map((mark) => marks.includes(mark));
    return byGuid === true ? 'to_it' : byDate === true ? 'to_its_date' : 'none';
  }

  /** Whether that agent may have begun to answer it. */
  mayBeAnswered(message: MarkedMessage, seq: number): boolean {
    return this.answerTo(message, seq) !== 'none';
  }

  /** For how long the backend could offer something in this life, while the Mac was awake. */
  private offeredMs(): number {
    const { offeringSeenAt, offeredBefore } = this;
    if (offeringSeenAt === undefined) return offeredBefore;
    return offeredBefore + Math.min(this.clock.monotonic() - offeringSeenAt, LOOKS_APART_MS);
  }

  private byNames<Text extends MarkedText>(text: Text): readonly Text[] {
    return this.namesOf(text.conversation).map((conversation) => ({ ...text, conversation }));
  }

  private readonly announce = (): void => {
    for (const listener of this.listeners) listener(this.counter);
  };
}

function isAnyBackdated(rows: ReadonlyMap<string, GapRow>): boolean {
  return [...rows.values()].some(({ isBackdated }) => isBackdated);
}

function byGuid(rows: readonly GapRow[]): ReadonlyMap<string, GapRow> {
  return new Map(rows.map((row) => [row.guid, row]));
}

/** One page, so that a write is there whole or not at all, whenever the process dies. */
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
});

/**
 * A small file outside of the state directory which records how far the store has come that is at work. It is written after the commit
 * that it tells of, so that it is never ahead of that store: where it is, an older copy of the store was put back. It names the
 * file that it is itself, so that a copy of it, put back with the store, proves nothing.
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
    this.reopenIfGone();
    const whole = { file: identityOf(fstatSync(this.fd)), ...record };
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

  /** What is written to a file that has no name any more is found by nobody. */
  private reopenIfGone(): void {
    if (identityAt(this.path) === identityOf(fstatSync(this.fd))) return;
    const fd = opened(this.path);
    closeSync(this.fd);
    this.fd = fd;
  }
}

/**
 * The witnesses in a folder that this state directory wrote last, with the lock beside each and what SQLite made of that. Of one that
 * cannot be read it is not known whose it is.
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
