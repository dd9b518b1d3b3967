import type { Clock } from '../../system/clock.js';
import type { DatedRows } from './incomingBatch.js';
import type { DatePlace, MessageRows } from './rows.js';
import { APPLE_EPOCH_MS } from './schema.js';

/** How reading by date goes on, as it is stored. Times are Unix ms. */
export interface LookState {
  since: number;
  caughtUp: boolean;
  lookUntil: number | null;
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
 * Reads by date what was never judged, because ROWIDs order rows only within one generation of chat.db (Spshulem/openAGI PR #36
 * has rebuilt ones in no order of time). One look over the window at once, then one a minute for an hour. The page is kept in
 * memory alone: after a crash the look begins anew, and passes over what is stored.
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
