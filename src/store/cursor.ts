import type { Database, Statement } from './sqlite.js';

/** How far one chat.db has been read. A ROWID means nothing in another generation of the file; the guid may. */
export interface ChatCursor {
  generation: string;
  rowId: number;
  guid: string | null;
}

/**
 * A row before the cursor whose text, chat or attachment had not arrived, or of which nobody knows whether it went out.
 * `firstSeenAt` is Unix ms, and so is `completeAt`: since when only the latter is lacking.
 */
export interface PendingRow {
  rowId: number;
  firstSeenAt: number;
  completeAt?: number;
}

/** The reading position in chat.db. Moved only in the write that stores what was read. */
export class CursorTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly selectPending: Statement;
  private readonly clearPending: Statement;
  private readonly insertPending: Statement;

  constructor(database: Database) {
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

  set(cursor: ChatCursor): void {
    this.upsert.run(cursor.generation, cursor.rowId, cursor.guid);
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
