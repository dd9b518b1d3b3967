import type { Clock } from '../../system/clock.js';
import type { ChatRow } from './chatRow.js';
import type { DatePlace, MessageRows, RowPosition } from './rows.js';
import { APPLE_EPOCH_MS } from './schema.js';

/** How far a chat.db has been read: its generation, the last row's ROWID and, for finding it elsewhere, guid. */
export interface ReadingPosition {
  generation: string;
  rowId: number;
  guid: string | null;
}

/** `same`: continue. `first`: nothing was ever read. `found` and `lost`: another database than the one read last. */
export interface Anchor {
  kind: 'same' | 'first' | 'found' | 'lost';
  position: ReadingPosition;
  /** Whether rows that were waited for are still the same rows. */
  keepsPending: boolean;
}

/**
 * Where to continue reading in the open database. On the very first start: after its newest row, so that nothing older
 * is forwarded. In another database (a different file, or ROWIDs were reassigned): after the row with the last guid;
 * else after the newest of the messages that we have (a restored copy lacks the last rows); else after the newest row.
 * Deleted messages do not make it another database. Unread rows below that position are found by date (DateLook).
 */
export function anchor(
  known: ReadingPosition | undefined,
  rows: Pick<MessageRows, 'newest' | 'rowIdOf' | 'guidOf' | 'highestIssued'>,
  generation: string,
  newestKnown: () => readonly string[],
  samples: readonly RowPosition[] = [],
): Anchor {
  if (known === undefined)
    return { kind: 'first', position: behindNewest(rows, generation), keepsPending: false };
  if (
    known.generation === generation &&
    rows.highestIssued() >= known.rowId &&
    isSameRow(known, rows, newestKnown) &&
    areSameRows(samples, rows)
  ) {
    return { kind: 'same', position: known, keepsPending: true };
  }
  const rowId = known.guid === null ? undefined : rows.rowIdOf(known.guid);
  if (rowId !== undefined) {
    const position = { generation, rowId, guid: known.guid };
    return { kind: 'found', position, keepsPending: rowId === known.rowId };
  }
  for (const guid of newestKnown()) {
    const found = rows.rowIdOf(guid);
    if (found !== undefined)
      return { kind: 'found', position: { generation, rowId: found, guid }, keepsPending: false };
  }
  return { kind: 'lost', position: behindNewest(rows, generation), keepsPending: false };
}

/** How many of our messages are used to check whether a database whose last row is missing is still the same. */
const ASKED = 20;

/**
 * After a backup was copied over the file, or ROWIDs were reassigned, our ROWID belongs to another message or our
 * message has another ROWID. A missing row was only deleted, unless one of our messages is after the position up to
 * which we have read.
 */
function isSameRow(
  { rowId, guid }: ReadingPosition,
  rows: Pick<MessageRows, 'guidOf' | 'rowIdOf'>,
  newestKnown: () => readonly string[],
): boolean {
  if (guid === null) return true;
  const there = rows.guidOf(rowId);
  if (there !== undefined) return there === guid;
  if (rows.rowIdOf(guid) !== undefined) return false;
  return !newestKnown()
    .slice(0, ASKED)
    .some((known) => (rows.rowIdOf(known) ?? 0) > rowId);
}

/** One row may by chance have the ROWID that it had. */
function areSameRows(samples: readonly RowPosition[], rows: Pick<MessageRows, 'guidOf'>): boolean {
  return samples.every(({ rowId, guid }) => (rows.guidOf(rowId) ?? guid) === guid);
}

function behindNewest(rows: Pick<MessageRows, 'newest'>, generation: string): ReadingPosition {
  const newest = rows.newest();
  return { generation, rowId: newest?.rowId ?? 0, guid: newest?.guid ?? null };
}

/** The stored state of reading by date. Times are Unix ms. */
export interface LookState {
  since: number;
  caughtUp: boolean;
  lookUntil: number | null;
}

/** Rows that a look by date found: those that were never judged, and ours among the others, for echoes of them. */
export interface DatedRows {
  unseen: readonly ChatRow[];
  own: readonly ChatRow[];
}

/** One page of a look. `next` undefined: the look has ended. */
export interface DatePage {
  rows: DatedRows;
  next: DatePlace | undefined;
}

/** What a page is read with. */
interface PageReader {
  rows: Pick<MessageRows, 'rowsByDate' | 'rowsAmong' | 'newestAt'>;
  isSeen: (guid: string) => boolean;
}

/** After a chat.db was rebuilt, rows may keep appearing below its highest ROWID for so long. */
export const LOOK_AGAIN_MS = 3_600_000;
const LOOK_EVERY_MS = 60_000;
/** Rows of one page that are passed over or taken. */
const PAGE = 200;

/**
 * Reads by date what was never judged, because ROWIDs order rows only within one generation of chat.db
 * (Spshulem/openAGI PR #36 has rebuilt ones in no order of time). One look over the window immediately, then one a
 * minute for an hour. The page is kept only in memory: after a crash the look starts again, and skips what is stored.
 */
export class DateLook {
  private place: DatePlace | undefined;
  private nextAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    /** How old a message may be to be worth an answer, ms. */
    private readonly windowMs: () => number,
  ) {}

  /** The order of ROWIDs changed: the look begins at its start. */
  restart(): void {
    this.place = undefined;
    this.nextAt = Number.NEGATIVE_INFINITY;
  }

  /** Whether a page is to be read now. */
  isDue(state: LookState | undefined): boolean {
    if (state === undefined || state.lookUntil === null) return false;
    if (!state.caughtUp || this.place !== undefined) return true;
    return this.clock.monotonic() >= this.nextAt;
  }

  /** Ms until the next look; undefined if there is none. */
  dueIn(state: LookState | undefined): number | undefined {
    if (state === undefined || state.lookUntil === null) return undefined;
    return Math.max(this.nextAt - this.clock.monotonic(), 1);
  }

  /** Reads one page; the place stays until `advance`. Throws SqliteError. */
  read({ since }: LookState, { rows, isSeen }: PageReader): DatePage {
    const place = this.place ?? this.startOf('seconds', since, rows);
    const dated = rows.rowsByDate(place, PAGE);
    const unseen = new Set(dated.filter(({ guid }) => !isSeen(guid)).map(({ rowId }) => rowId));
    const own = dated.filter(({ isFromMe }) => isFromMe === 1).map(({ rowId }) => rowId);
    const read = new Map(rows.rowsAmong([...new Set([...unseen, ...own])]).map((row) => [row.rowId, row]));
    const inOrder = dated.flatMap(({ rowId }) => read.get(rowId) ?? []);
    const last = dated.at(-1);
    const isWhole = last === undefined || dated.length < PAGE;
    const more = isWhole ? undefined : { unit: place.unit, date: last.date, rowId: last.rowId };
    const next = isWhole && place.unit === 'seconds' ? this.startOf('ns', since, rows) : more;
    return {
      rows: {
        unseen: inOrder.filter(({ rowId }) => unseen.has(rowId)),
        own: inOrder.filter(({ rowId, isFromMe }) => isFromMe === 1 && !unseen.has(rowId)),
      },
      next,
    };
  }

  /** The page is stored. */
  advance({ next }: DatePage): void {
    this.place = next;
    if (next === undefined) this.nextAt = this.clock.monotonic() + LOOK_EVERY_MS;
  }

  /** By the newest message too, so that a clock that is set ahead does not hide the window. */
  private startOf(unit: DatePlace['unit'], since: number, rows: PageReader['rows']): DatePlace {
    const now = this.clock.now();
    const newest = rows.newestAt() ?? now;
    const from = Math.max(Math.min(now, newest) - this.windowMs(), since > now ? 0 : since);
    const ms = BigInt(Math.trunc(Math.max(from - APPLE_EPOCH_MS, 1)));
    return { unit, date: unit === 'ns' ? ms * 1_000_000n : ms / 1000n, rowId: -1 };
  }
}
