import type { Database, Statement } from './sqlite.js';

/** For so many days it is remembered which rows of chat.db were judged. */
export const SEEN_KEPT_DAYS = 31;

/** A row of chat.db that was judged. Equal rows of `key` are candidates for one message; see `rowIdentity.ts`. */
export interface SeenRow {
  guid: string;
  /** The guid of the row that this one is a copy of; its own if it is none. */
  original: string;
  /** Its canonical key; empty where it is not known. */
  conversation: string;
  /** Sender, kind and exact date; null: only the guid identifies it. */
  key: string | null;
  words: string;
  files: string;
  /** It was edited or retracted when it was judged, so that its words say nothing. */
  changed: boolean;
  /** When it was first seen, Unix ms. */
  seenAt: number;
}

type StoredRow = Omit<SeenRow, 'changed'> & { changed: number };

/** Every row of chat.db that was judged, so that it is judged once: by its guid, and by what it is under another guid. */
export class SeenRowTable {
  private readonly insert: Statement;
  private readonly remove: Statement;
  private readonly select: Statement;
  private readonly selectOriginal: Statement;
  private readonly selectLike: Statement;

  constructor(database: Database) {
    this.insert = database.prepare(
      `INSERT INTO seen_rows (guid, original, conversation, row_key, words, files, changed, seen_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (guid) DO UPDATE SET conversation = excluded.conversation, row_key = excluded.row_key, words = excluded.words, files = excluded.files,
         changed = excluded.changed WHERE row_key IS NULL OR row_key LIKE 'ms %'`,
    );
    this.remove = database.prepare('DELETE FROM seen_rows WHERE guid = ?');
    this.select = database.prepare('SELECT 1 FROM seen_rows WHERE guid = ?').pluck();
    this.selectOriginal = database.prepare('SELECT original FROM seen_rows WHERE guid = ?').pluck();
    this.selectLike = database.prepare(
      `SELECT guid, original, conversation, row_key AS "key", words, files, changed, seen_at AS seenAt FROM seen_rows
       WHERE row_key = ? AND row_key IS NOT NULL AND conversation = ? ORDER BY seen_at, guid`,
    );
  }

  /** Inside a write. A guid that is known keeps its original; an identity that it lacked is filled in. */
  add({ guid, original, conversation, key, words, files, changed, seenAt }: SeenRow): void {
    this.insert.run(guid, original, conversation, key, words, files, changed ? 1 : 0, seenAt);
  }

  /** Inside a write: the row is to be judged once more. */
  forget(guid: string): void {
    this.remove.run(guid);
  }

  has(guid: string): boolean {
    return this.select.get(guid) !== undefined;
  }

  /** The guid by which the backend knows this message; the same guid where it is no known copy. */
  originalOf(guid: string): string {
    return (this.selectOriginal.get(guid) as string | undefined) ?? guid;
  }

  /** Rows of the conversation with this key, the first seen first. */
  like(key: string, conversation: string): SeenRow[] {
    return (this.selectLike.all(key, conversation) as StoredRow[]).map((row) => ({
      ...row,
      changed: row.changed === 1,
    }));
  }
}
