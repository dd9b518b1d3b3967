import type { SendRecord } from '../model/sending.js';
import type { Database, Statement, StoredRows } from './sqlite.js';

/** For so many days it is remembered which rows of chat.db were judged. */
export const SEEN_KEPT_DAYS = 31;

/** A row of chat.db that was judged. Equal rows of `key` are candidates for one message; see `classify.ts`. */
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
class SeenRowTable {
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
 * How a row relates to a text of the ledger. `whole`: it has exactly the text, or is a file row while the send is a
 * file. `part`: its text is part of the send's, because Messages may write a link in a text as a separate row.
 */
export type Kinship = 'whole' | 'part' | 'none';

/**
 * The only comparison of a row with one of our texts, used for proof, for reading and for the operator's own messages.
 * `normalise` removes the changes that Messages makes. The caller checks conversation and time, because they depend on
 * the purpose. A row without a text is a file row; only its files show which one.
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

/** The chat.db that is open, and when its ROWIDs were last found to be reassigned (Unix ms). */
export interface RowOrder {
  generation: string | null;
  movedAt: number | null;
}

/** Identifies an order of ROWIDs, which a send stores as `generation`; it changes each time they are reassigned. */
export function orderOf({ generation, movedAt }: RowOrder): string | null {
  return generation === null || movedAt === null ? generation : `${generation} ${movedAt}`;
}

/** Whether ROWIDs were reassigned since the attempt, so that its position among them means nothing. Independent of clocks. */
export function isMoved({ generation }: SendRecord, order: string | null): boolean {
  return generation !== order;
}

/** Before any row of it can have been written (Unix ms): a repeated one may be proven by the row of an earlier attempt. */
export function beganAt({ attemptedAt, createdAt, attempts, form, resends }: SendRecord): number | null {
  return attempts + form + resends > 0 ? createdAt : attemptedAt;
}

/**
 * Whether a row was written when the attempt of a send began or later: by its position after the row that was newest
 * then, or by its date if ROWIDs were reassigned since. True if the position is not known.
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
 * A row before the cursor whose text, chat or attachment had not arrived, or that is not known to be sent or received.
 * `firstSeenAt` is Unix ms, and so is `completeAt`: since when only the latter is missing.
 */
interface PendingRow {
  rowId: number;
  firstSeenAt: number;
  completeAt?: number;
}

/** The state of reading in addition to the cursor. Times are Unix ms. */
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
  /** The rows read last: if one of them has another ROWID, all were reassigned. */
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

/** The reading position in chat.db. Moved only in the write that stores what was read. What is asked at each look is read once. */
export class CursorTable {
  readonly seen: SeenRowTable;
  private readonly selectReading: Statement;
  private readonly upsertReading: Statement;
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly selectPending: Statement;
  private readonly clearPending: Statement;
  private readonly insertPending: Statement;
  private keptReading: { readonly value: Readonly<ReadingState> | undefined } | undefined;
  private keptPending: readonly PendingRow[] | undefined;

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

  /** The tables may have changed otherwise than by what was asked of this. */
  reload(): void {
    this.keptReading = undefined;
    this.keptPending = undefined;
  }

  /** Not from memory: what was not stored, by whatever fault, is read again, and the lag shows it. */
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
  reading(): Readonly<ReadingState> | undefined {
    this.keptReading ??= { value: this.storedReading() };
    return this.keptReading.value;
  }

  private storedReading(): ReadingState | undefined {
    const row = this.selectReading.get() as StoredReading | undefined;
    if (row === undefined) return undefined;
    const samples = this.rows.list<RowSample>('chatdb_reading', '1', row.samples) ?? [];
    return { ...row, seeded: row.seeded === 1, caughtUp: row.caughtUp === 1, samples };
  }

  setReading(state: ReadingState): void {
    const { since, seeded, caughtUp, movedAt, lookUntil, samples, beganIn } = state;
    this.upsertReading.run(
      since,
      seeded ? 1 : 0,
      caughtUp ? 1 : 0,
      movedAt,
      lookUntil,
      JSON.stringify(samples),
      beganIn,
    );
    this.keptReading = { value: state };
  }

  pending(): readonly PendingRow[] {
    this.keptPending ??= this.storedPending();
    return this.keptPending;
  }

  private storedPending(): PendingRow[] {
    const rows = this.selectPending.all() as (PendingRow & { completeAt: number | null })[];
    return rows.map(({ rowId, firstSeenAt, completeAt }) =>
      completeAt === null ? { rowId, firstSeenAt } : { rowId, firstSeenAt, completeAt },
    );
  }

  /** Inside a write: a row before the cursor is read and judged once more; one behind it is anyway. `now` is Unix ms. */
  readAgain(rowId: number, now: number): void {
    const cursor = this.get();
    if (cursor === undefined || rowId > cursor.rowId) return;
    this.insertPending.run(rowId, now, null);
    this.keptPending = undefined;
  }

  /** Replaces the whole set. */
  setPending(rows: readonly PendingRow[]): void {
    this.clearPending.run();
    for (const row of rows) this.insertPending.run(row.rowId, row.firstSeenAt, row.completeAt ?? null);
    this.keptPending = undefined;
  }
}
