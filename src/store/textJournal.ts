import { createHash } from 'node:crypto';
import type { Clock } from '../system/clock.js';
import type { CommitHooks } from './outbox.js';
import type { Database, Statement } from './sqlite.js';

/** A received or sent text, as monitor clients get it. */
interface WrittenText {
  conversation: string;
  messageId: string;
  text: string;
  /** Null: the agent. */
  sender: string | null;
  /** Unix ms. */
  saidAt: number;
}

/** `cursor` is the place of the text in the journal. */
export type JournalText = WrittenText & { cursor: string };

/** What follows a cursor: `cursor` is that of the last text, or the one that was asked with. */
interface JournalPage {
  texts: JournalText[];
  cursor: string;
  /**
   * `not_kept`: some later texts were deleted. `unknown_cursor`: the cursor belongs to another store, or of a state
   * that was replaced by an older copy; the page begins with the oldest text that is kept. Null: nothing is missing.
   */
  gap: 'not_kept' | 'unknown_cursor' | null;
}

type JournalRow = WrittenText & { seq: number };

/** A page ends with the text with which it has so many characters, so that it is one frame of moderate size. */
const PAGE_CHARACTERS = 100_000;
const PAGE_TEXTS = 100;
/** As it is written: the number, and by what the row with this number is known to be the same one. */
const CURSOR = /^(\d{1,15})(?:-([0-9a-f]{8}))?$/;

/**
 * Every text in the order in which it was reported, each in the write that stores the reported event. Numbers have no
 * gaps: a missing one was deleted or lost. Kept as long as other finished items.
 */
export class TextJournal {
  private readonly insert: Statement;
  private readonly selectAfter: Statement;
  private readonly selectId: Statement;
  private readonly selectNewest: Statement;
  private readonly listeners: ((text: JournalText) => void)[] = [];

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly hooks: CommitHooks,
  ) {
    this.insert = database.prepare(
      'INSERT INTO text_journal (conversation, message_id, text, sender, said_at, at) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.selectAfter = database.prepare(
      `SELECT seq, conversation, message_id AS messageId, text, sender, said_at AS saidAt FROM text_journal
       WHERE seq > ? ORDER BY seq LIMIT ${PAGE_TEXTS}`,
    );
    this.selectId = database.prepare('SELECT message_id FROM text_journal WHERE seq = ?').pluck();
    this.selectNewest = database
      .prepare("SELECT seq FROM sqlite_sequence WHERE name = 'text_journal'")
      .pluck();
  }

  /** Inside the write that stores the reported event. */
  add(said: WrittenText): void {
    const { conversation, messageId, text, sender, saidAt } = said;
    const { lastInsertRowid } = this.insert.run(
      conversation,
      messageId,
      text,
      sender,
      saidAt,
      this.clock.now(),
    );
    const entry = { ...said, cursor: cursorOf(Number(lastInsertRowid), messageId) };
    this.hooks.afterCommit(() => {
      for (const listener of this.listeners) listener(entry);
    });
  }

  /** Calls `listener` with each text once it is durable, in their order. */
  afterAdd(listener: (text: JournalText) => void): void {
    this.listeners.push(listener);
  }

  /** The cursor behind which everything is yet to be said. */
  newest(): string {
    const seq = this.newestSeq();
    const messageId = this.selectId.get(seq) as string | undefined;
    return messageId === undefined ? String(seq) : cursorOf(seq, messageId);
  }

  /** The texts behind a cursor, the oldest first, a page at a time; `0` is before all. Undefined for what is no cursor. */
  after(cursor: string): JournalPage | undefined {
    const [, digits, tag] = CURSOR.exec(cursor) ?? [];
    if (digits === undefined) return undefined;
    const seq = Number(digits);
    const messageId = this.selectId.get(seq) as string | undefined;
    const isOther = tag !== undefined && messageId !== undefined && tag !== tagOf(messageId);
    if (isOther || seq > this.newestSeq()) return { ...this.page(0, '0'), gap: 'unknown_cursor' };
    return this.page(seq, cursor);
  }

  private page(seq: number, cursor: string): JournalPage {
    const rows: JournalRow[] = [];
    let characters = 0;
    for (const row of this.selectAfter.all(seq) as JournalRow[]) {
      if (characters >= PAGE_CHARACTERS) break;
      rows.push(row);
      characters += row.text.length;
    }
    const texts = rows.map(({ seq: at, ...said }) => ({ ...said, cursor: cursorOf(at, said.messageId) }));
    const end = rows.at(-1)?.seq ?? this.newestSeq();
    return {
      texts,
      cursor: texts.at(-1)?.cursor ?? (end === seq ? cursor : String(end)),
      gap: end - seq > rows.length ? 'not_kept' : null,
    };
  }

  private newestSeq(): number {
    return (this.selectNewest.get() as number | undefined) ?? 0;
  }
}

function cursorOf(seq: number, messageId: string): string {
  return `${seq}-${tagOf(messageId)}`;
}

function tagOf(messageId: string): string {
  return createHash('sha256').update(messageId).digest('hex').slice(0, 8);
}
