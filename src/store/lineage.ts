import type { Clock } from '../system/clock.js';
import type { RowOrder } from './cursor.js';
import { type DatedRow, type GapRow, isInGap, type LedgerGap, type Lineage, storedGap } from './ledgerGap.js';
import { type ClockSkew, SAME_CLOCK_MS, UNKNOWN_CLOCK } from './macClock.js';
import type { CommitHooks } from './outbox.js';
import { rowWatchedMs } from './sendRecord.js';
import type { Database, Statement, StoredRows } from './sqlite.js';
import {
  type GapEnd,
  isAttempt,
  isBegun,
  type MarkedAttempt,
  type MarkedMessage,
  type MarkedText,
  marksOf,
  takenUp,
  withoutAttempt,
} from './Witness.js';

/** Small facts by name: the registered agent id, when the agent was last alive. */
export class MetaTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.select = database.prepare('SELECT value FROM meta WHERE key = ?').pluck();
    this.upsert = database.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.remove = database.prepare('DELETE FROM meta WHERE key = ?');
  }

  get(key: string): string | undefined {
    return this.select.get(key) as string | undefined;
  }

  /** A fact that is kept as JSON; undefined where there is none, or it is damaged. */
  object<T extends object>(key: string): T | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : this.rows.object<T>('meta', key, value);
  }

  /** The same of a list. */
  list<T>(key: string): T[] | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : this.rows.list<T>('meta', key, value);
  }

  set(key: string, value: string): void {
    this.upsert.run(key, value);
  }

  delete(key: string): void {
    this.remove.run(key);
  }
}

/**
 * `to_it`: to a message with its guid, so its answer is most likely after it. `to_its_date`: only to one with its date,
 * as which iCloud had written it before, in front of the answer. `perhaps`: not known.
 */
export type RecordedAnswer = 'to_it' | 'to_its_date' | 'perhaps' | 'none';

/** Within this time after it could first offer something, a backend has offered again all that it has no ack of, in ms. */
const OFFERED_WITHIN_MS = 600_000;
/**
 * Counted at each mark of the agent (30 s). If more time passed between two marks, the Mac slept, and nothing could be
 * offered.
 */
const LOOKS_APART_MS = 60_000;

/** A command's timestamp comes from another clock, which may be ahead by so much more than is known of it, in ms. */
export const CLOCKS_APART_MS = 2_000;

const ANY_TIME: (end: GapEnd) => boolean = () => true;
const LINEAGE = 'lineage';
const COUNTER = 'lineage_counter';
const GAP = 'ledger_gap';
const GAP_ROWS = 'ledger_gap_rows';
/** So many rows of gaps are kept, the newest: those behind them are known by their dates alone. */
const MOST_GAP_ROWS = 5000;
/** The lineage of this store and the gap in its ledger, kept with its small facts. */
export class LineageTable {
  private readonly listeners: ((counter: number) => void)[] = [];
  private readonly answerListeners: ((message: MarkedMessage | undefined, counter: number) => void)[] = [];
  private counter = 0;
  /** The counter that was announced last. */
  private announced: number | undefined;
  private known: LedgerGap | undefined;
  private rows: ReadonlyMap<string, GapRow> = new Map();
  private hasBackdated = false;
  /** When it was last looked (monotonic) whether the backend can offer again what it has no ack of; undefined: it cannot. */
  private offeringSeenAt: number | undefined;
  /** For how long it could before that, in this life, in ms. */
  private offeredBefore = 0;
  /** When the gap was found (monotonic); undefined: in an earlier life. */
  private foundAt: number | undefined;
  private readSkew: () => ClockSkew | null = () => null;

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
    const counter = Number(meta.get(COUNTER) ?? 0);
    const rows = byGuid(meta.list<GapRow>(GAP_ROWS) ?? []);
    const hasGap = meta.get(GAP) !== undefined;
    // If one of these cannot be read, what was known stays: without a gap nothing would be compared with chat.db.
    this.known = hasGap ? storedGap(meta.object<LedgerGap>(GAP), clock.now()) : undefined;
    this.counter = counter;
    this.rows = rows;
    this.hasBackdated = isAnyBackdated(rows);
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

  /** Whether the clock of this Mac was behind in a gap, as shown by the date of a row from then. */
  wasClockBehind(): boolean {
    return this.hasBackdated;
  }

  /**
   * Whether an agent that was forgotten had begun to send a text like this when it ended, and had not seen its row. `isOf`: whether the
   * text may be of a time with this end; any time if left out.
   */
  isBegun(text: MarkedText, isOf = ANY_TIME): boolean {
    return this.known !== undefined && isBegun(this.known.begun, this.byNames(text), isOf);
  }

  /** Until when (Unix ms) Messages may yet write the row of such a text; undefined: there was none. */
  rowComesUntil(text: MarkedText): number | undefined {
    if (this.known === undefined || !this.isBegun(text)) return undefined;
    return this.known.foundAt + rowWatchedMs(text);
  }

  /** `skew`: of the backend's clock now; null before its first answer. */
  useBackendTime(skew: () => ClockSkew | null): void {
    this.readSkew = skew;
  }

  /** How far the backend's clock is ahead of this Mac's; null: not known. */
  skew(): ClockSkew | null {
    return this.readSkew();
  }

  /**
   * Whether something that the backend made then (Unix ms of its clock) may have been there before the gap ended; undefined while it is
   * not known when that was by its clock.
   */
  mayBeMadeBefore(end: GapEnd, madeAt: number): boolean | undefined {
    const madeUntil = end.madeUntil ?? this.madeUntil();
    return madeUntil === undefined ? undefined : madeAt - CLOCKS_APART_MS < madeUntil;
  }

  /**
   * What the clock of this Mac may have shown in the gap when the backend made something (Unix ms of its clock); what it shows now
   * (`ownTime`) where that is not known.
   */
  datesInGap(madeAt: number, ownTime: (madeAt: number) => number): readonly number[] {
    const { behindMs, isWhole } = this.known?.clock ?? UNKNOWN_CLOCK;
    const dates = behindMs.flatMap((behind) => [
      madeAt - behind - SAME_CLOCK_MS,
      madeAt - behind + SAME_CLOCK_MS,
    ]);
    return isWhole ? dates : [ownTime(madeAt), ...dates];
  }

  /** The latest time (Unix ms) that the clock of this Mac showed in the gap: it may have been ahead, and set back since. */
  latestShown({ until, shownUntil, activeUntil }: GapEnd & Partial<LedgerGap>): number {
    return Math.max(until, shownUntil ?? until, activeUntil ?? until);
  }

  /** When the gap ended, by the backend's clock (Unix ms); undefined while that is not certain. */
  madeUntil(): number | undefined {
    if (this.known?.madeUntil !== undefined) return this.known.madeUntil;
    const now = this.backendNow();
    if (this.known === undefined || this.foundAt === undefined || now === undefined) return undefined;
    return now - (this.clock.monotonic() - this.foundAt);
  }

  /** Inside a write, now and again. If the life in which the gap was found did not come to know its end, it counts up to now. */
  noteMadeUntil(): void {
    if (this.known === undefined || this.known.madeUntil !== undefined) return;
    const madeUntil = this.madeUntil() ?? this.backendNow();
    if (madeUntil === undefined) return;
    const begun = this.known.begun.map((group) => ({ ...group, madeUntil: group.madeUntil ?? madeUntil }));
    this.known = { ...this.known, madeUntil, begun };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /** Inside a write: the attempt of a forgotten agent is this text's from now on, and no other's. */
  takeUp(text: MarkedText, isOf: (end: GapEnd) => boolean): void {
    if (this.known === undefined) return;
    this.known = { ...this.known, begun: takenUp(this.known.begun, this.byNames(text), isOf) };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /**
   * Whether a forgotten agent that was making this same attempt (as the copy of its store has it) ended without knowing
   * whether the text was sent; then the record in the copy proves no less.
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
   * Inside a write, now and again: no text after this seq belongs to a command that was offered again, once the backend
   * could offer all of them within one run, by the monotonic clock, not counting sleep.
   */
  endOffering(newestSend: number): void {
    if (this.known === undefined || this.known.offeredUpTo !== null) return;
    if (this.offeringSeenAt !== undefined) this.noteOffering();
    if (this.offeredMs() < OFFERED_WITHIN_MS) return;
    this.known = { ...this.known, offeredUpTo: newestSend };
    this.meta.set(GAP, JSON.stringify(this.known));
  }

  /** Whether a row is from the period for which the ledger is incomplete. `order` is that of the open chat.db. */
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

  /** Inside a write, before anything is sent: a row after this one is in the gap only by its date. */
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
      this.foundAt = this.clock.monotonic();
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
   * Inside a write, before the hook that passes a text to Messages: like `advance`, but reported before that hook, also
   * if something else advances the counter in the same write.
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

  /** Calls `listener` after each commit that begins an answer, before it is sent. */
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

  /** Unix ms; undefined while it is not certain. */
  private backendNow(): number | undefined {
    const skew = this.readSkew();
    return skew?.isCertain === true ? this.clock.now() + skew.ms : undefined;
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
    if (this.announced === this.counter) return;
    this.announced = this.counter;
    for (const listener of this.listeners) listener(this.counter);
  };
}

function isAnyBackdated(rows: ReadonlyMap<string, GapRow>): boolean {
  return [...rows.values()].some(({ isBackdated }) => isBackdated);
}

function byGuid(rows: readonly GapRow[]): ReadonlyMap<string, GapRow> {
  return new Map(rows.map((row) => [row.guid, row]));
}
