import type { RowOrder } from './seenRows.js';
import { SeenRowTable } from './seenRows.js';
import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

/** The generation of a position that was lost with a damaged store: no chat.db has it. */
export const SALVAGED_GENERATION = 'salvaged';

/** A clock may have been behind by so much when a row was dated, in ms. */
export const CLOCK_BEHIND_MS = 86_400_000;

/** Rows may be looked for by date for so long: after a salvage iCloud may bring what is missing later. */
export const LONGEST_LOOK_MS = 2 * 86_400_000;

/** How far one chat.db has been read. A ROWID means nothing in another generation of the file; the guid may. */
interface ChatCursor {
  generation: string;
  rowId: number;
  guid: string | null;
}

/**
 * A row before the cursor whose text, chat or attachment had not arrived, or of which nobody knows whether it went out.
 * `firstSeenAt` is Unix ms, and so is `completeAt`: since when only the latter is lacking.
 */
interface PendingRow {
  rowId: number;
  firstSeenAt: number;
  completeAt?: number;
}

/** How reading goes on beside the cursor. Times are Unix ms. */
export interface ReadingState {
  /** When reading first began, on this or another chat.db: nothing older is looked for by date, but see `beganIn`. */
  since: number;
  /**
   * The generation of chat.db in which it began, if all its rows of the day before are remembered: what is unknown there and dated
   * then came later, by a clock that was behind. Null: no such chat.db.
   */
  beganIn: string | null;
  /** The rows before the cursor are known by their identity. */
  seeded: boolean;
  /** False while the first look by date since the last move has not ended. */
  caughtUp: boolean;
  /** When the order of ROWIDs was last found changed; null: never. */
  movedAt: number | null;
  /** Until when looks by date are repeated; null: they are over. */
  lookUntil: number | null;
  /** The rows read last: where one of them has another ROWID, all were given out anew. */
  samples: readonly RowSample[];
}

/** From when on (Unix ms) rows may be of the agent's time, by their dates, in the chat.db of this generation. */
export function readsFrom(
  { since, beganIn }: Pick<ReadingState, 'since' | 'beganIn'>,
  generation: string,
): number {
  return beganIn === generation ? since - CLOCK_BEHIND_MS : since;
}

interface RowSample {
  rowId: number;
  guid: string;
}

interface StoredReading {
  since: number;
  beganIn: string | null;
  seeded: number;
  caughtUp: number;
  movedAt: number | null;
  lookUntil: number | null;
  samples: string;
}

/** The reading position in chat.db. Moved only in the write that stores what was read. */
export class CursorTable {
  readonly seen: SeenRowTable;
  private readonly selectReading: Statement;
  private readonly upsertReading: Statement;
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly selectPending: Statement;
  private readonly clearPending: Statement;
  private readonly insertPending: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.seen = new SeenRowTable(database);
    this.selectReading = database.prepare(
      `SELECT since, seeded, caught_up AS caughtUp, moved_at AS movedAt, look_until AS lookUntil, samples, began_in AS beganIn
       FROM chatdb_reading WHERE id = 1`,
    );
    this.upsertReading = database.prepare(
      `INSERT OR REPLACE INTO chatdb_reading (id, since, seeded, caught_up, moved_at, look_until, samples, began_in)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.select = database.prepare(
      'SELECT generation, row_id AS rowId, guid FROM chatdb_cursor WHERE id = 1',
    );
    this.upsert = database.prepare(
      `INSERT INTO chatdb_cursor (id, generation, row_id, guid) VALUES (1, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, row_id = excluded.row_id, guid = excluded.guid`,
    );
    this.selectPending = database.prepare(
      'SELECT row_id AS rowId, first_seen_at AS firstSeenAt, complete_at AS completeAt FROM chatdb_pending ORDER BY row_id',
    );
    this.clearPending = database.prepare('DELETE FROM chatdb_pending');
    this.insertPending = database.prepare(
      'INSERT INTO chatdb_pending (row_id, first_seen_at, complete_at) VALUES (?, ?, ?) ON CONFLICT (row_id) DO NOTHING',
    );
  }

  get(): ChatCursor | undefined {
    return this.select.get() as ChatCursor | undefined;
  }

  /** By what a place among ROWIDs is one in the chat.db that was read last. */
  order(): RowOrder {
    return { generation: this.get()?.generation ?? null, movedAt: this.reading()?.movedAt ?? null };
  }

  set(cursor: ChatCursor): void {
    this.upsert.run(cursor.generation, cursor.rowId, cursor.guid);
  }

  /** Undefined before the first read ever. */
  reading(): ReadingState | undefined {
    const row = this.selectReading.get() as StoredReading | undefined;
    if (row === undefined) return undefined;
    const samples = this.rows.list<RowSample>('chatdb_reading', '1', row.samples) ?? [];
    return { ...row, seeded: row.seeded === 1, caughtUp: row.caughtUp === 1, samples };
  }

  setReading({ since, seeded, caughtUp, movedAt, lookUntil, samples, beganIn }: ReadingState): void {
    this.upsertReading.run(
      since,
      seeded ? 1 : 0,
      caughtUp ? 1 : 0,
      movedAt,
      lookUntil,
      JSON.stringify(samples),
      beganIn,
    );
  }

  pending(): PendingRow[] {
    const rows = this.selectPending.all() as (PendingRow & { completeAt: number | null })[];
    return rows.map(({ rowId, firstSeenAt, completeAt }) =>
      completeAt === null ? { rowId, firstSeenAt } : { rowId, firstSeenAt, completeAt },
    );
  }

  /** Inside a write: a row before the cursor is read and judged once more; one behind it is anyway. `now` is Unix ms. */
  readAgain(rowId: number, now: number): void {
    const cursor = this.get();
    if (cursor !== undefined && rowId <= cursor.rowId) this.insertPending.run(rowId, now, null);
  }

  /** Replaces the whole set. */
  setPending(rows: readonly PendingRow[]): void {
    this.clearPending.run();
    for (const row of rows) this.insertPending.run(row.rowId, row.firstSeenAt, row.completeAt ?? null);
  }
}
