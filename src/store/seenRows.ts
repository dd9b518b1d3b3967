import type { SendRecord } from '../model/sending.js';
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
  private readonly copyListeners: ((copy: SeenRow, original: string) => void)[] = [];

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
  add(row: SeenRow): void {
    const { guid, original, conversation, key, words, files, changed, seenAt } = row;
    this.insert.run(guid, original, conversation, key, words, files, changed ? 1 : 0, seenAt);
    if (original === guid) return;
    for (const listener of this.copyListeners) listener(row, this.originalOf(guid));
  }

  /** Calls `listener` inside the write that judges a row as a copy, with the guid by which the backend knows its message. */
  onCopy(listener: (copy: SeenRow, original: string) => void): void {
    this.copyListeners.push(listener);
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

/** A row of chat.db as far as it may be that of a text of the ledger. `text` is empty for one of files alone. */
interface LedgerCandidate {
  rowId: number;
  text: string;
}

/**
 * How a row relates to a text of the ledger. `whole`: it has the very text, or is a file's while the send is one. `part`: its
 * text is a piece of the send's, as Messages may write a link in a text as a row of its own.
 */
export type Kinship = 'whole' | 'part' | 'none';

/**
 * The one comparison of a row with a text of ours, for proving, for reading and for a person's own answers. `normalise` levels
 * what Messages changes on the way. Conversation and time are the caller's: they differ by what is asked. A row without a text is a
 * file's; which one, only its files tell.
 */
export function kinshipOf(
  send: Pick<SendRecord, 'text' | 'file'>,
  { text }: Pick<LedgerCandidate, 'text'>,
  normalise: (text: string) => string,
): Kinship {
  const said = normalise(text);
  if (send.file !== null) return said === '' ? 'whole' : 'none';
  if (said === '') return 'none';
  const ours = normalise(send.text);
  if (ours === said) return 'whole';
  return ours.includes(said) ? 'part' : 'none';
}

/** The chat.db that is open, and when its ROWIDs were last found given out anew (Unix ms). */
export interface RowOrder {
  generation: string | null;
  movedAt: number | null;
}

/** Names an order of ROWIDs, which is what a send keeps of it (`generation`): another one each time they are given out anew. */
export function orderOf({ generation, movedAt }: RowOrder): string | null {
  return generation === null || movedAt === null ? generation : `${generation} ${movedAt}`;
}

/** Whether ROWIDs were given out anew since the attempt, so that its place among them says nothing. No clock tells that. */
export function isMoved({ generation }: SendRecord, order: string | null): boolean {
  return generation !== order;
}

/** Before any row of it can have been written (Unix ms): a repeated one may be proven by the row of an earlier attempt. */
export function beganAt({ attemptedAt, createdAt, attempts, form, resends }: SendRecord): number | null {
  return attempts + form + resends > 0 ? createdAt : attemptedAt;
}

/**
 * Whether a row was written when the attempt of a send began or later: by its place behind the row that was newest then, and where
 * ROWIDs were given out anew since, by its date. True where the place is not known.
 */
export function isOfAttempt(
  send: SendRecord,
  { rowId, sentAt }: Pick<LedgerCandidate, 'rowId'> & { sentAt: number | null },
  order: string | null,
): boolean {
  if (send.afterRow === null) return true;
  if (!isMoved(send, order)) return rowId > send.afterRow;
  const began = beganAt(send);
  return sentAt !== null && began !== null && sentAt >= began;
}
