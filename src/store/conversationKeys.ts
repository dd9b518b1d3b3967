import type { IncomingMessage } from '../model/incoming.js';
import { isWholeMessage } from './incoming.js';
import type { Database } from './sqlite.js';
import { readStored } from './storedRows.js';
import type { UploadMessage } from './uploads.js';

/** Tables that have one row a conversation: what the row that stays takes over from the one that goes. */
const MERGED: Readonly<Record<string, string>> = {
  pauses: 'since = min(since, @since), incoming = max(incoming, @incoming)',
  contexts: `body = iif(@updated_at > updated_at, @body, body), updated_at = max(updated_at, @updated_at)`,
  target_forms: `form = iif(@learnt_at > learnt_at, @form, form), learnt_at = max(learnt_at, @learnt_at)`,
  exchanges: 'body = iif(@at > at, @body, body), at = max(at, @at)',
  new_recipients: 'written_at = max(written_at, @written_at)',
  message_sequences: 'newest = max(newest, @newest)',
};

/** When each table first heard of a conversation. */
const FIRST_KNOWN = [
  'SELECT min(seen_at) FROM incoming WHERE conversation = ?',
  'SELECT min(created_at) FROM sends WHERE conversation = ?',
  'SELECT min(created_at) FROM schedule WHERE conversation = ?',
  'SELECT updated_at FROM contexts WHERE conversation = ?',
  'SELECT since FROM pauses WHERE conversation = ?',
];

/**
 * Moves what is stored of a conversation to another key: when a version reads an address otherwise, and when two names
 * turn out to be of one group. Everything that is kept under a `conversation` is found by that name of its column, so that
 * no table is forgotten. Rare, hence not prepared.
 */
export class ConversationKeys {
  constructor(private readonly database: Database) {}

  /** Every key under which anything is kept. */
  all(): string[] {
    const keys = this.tables().flatMap(
      (table) =>
        this.database.prepare(`SELECT DISTINCT conversation FROM ${table}`).pluck().all() as string[],
    );
    return [...new Set(keys)];
  }

  /** The one of these keys that was known first (Unix ms of its oldest row); undefined if nothing is kept of any. */
  firstKnown(keys: readonly string[]): string | undefined {
    let first: { key: string; at: number } | undefined;
    for (const key of keys) {
      const times = FIRST_KNOWN.flatMap(
        (sql) => (this.database.prepare(sql).pluck().get(key) as number | null | undefined) ?? [],
      );
      const at = Math.min(...times);
      if (times.length > 0 && (first === undefined || at < first.at)) first = { key, at };
    }
    return first?.key;
  }

  /** Inside a write: what is kept under `from` belongs to `to`. `twinKeyOf` is what pairs equal texts of a conversation. */
  move(from: string, to: string, twinKeyOf: (conversation: string, text: string) => string): void {
    if (from === to) return;
    this.rewriteMessages(from, to);
    this.rewriteTwinKeys(from, to, twinKeyOf);
    for (const table of this.tables()) {
      this.merge(table, from, to);
      this.database.prepare(`UPDATE ${table} SET conversation = ? WHERE conversation = ?`).run(to, from);
    }
  }

  private tables(): string[] {
    return this.database
      .prepare(
        `SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND c.name = 'conversation' ORDER BY t.name`,
      )
      .pluck()
      .all() as string[];
  }

  /** Where there is one row a conversation and both have one. */
  private merge(table: string, from: string, to: string): void {
    const changes = MERGED[table];
    if (changes === undefined) return;
    const select = this.database.prepare(`SELECT * FROM ${table} WHERE conversation = ?`);
    const going = select.get(from);
    if (going === undefined || select.get(to) === undefined) return;
    this.database.prepare(`UPDATE ${table} SET ${changes} WHERE conversation = @to`).run({ ...going, to });
    this.database.prepare(`DELETE FROM ${table} WHERE conversation = ?`).run(from);
  }

  /** A message keeps the name under which it was posted, for every attempt says the same; its answer goes by the key. */
  private rewriteMessages(from: string, to: string): void {
    const { database } = this;
    const select = database.prepare(
      'SELECT seq, message, first_posted_at IS NOT NULL AS isPosted FROM incoming WHERE conversation = ?',
    );
    const update = database.prepare('UPDATE incoming SET message = ? WHERE seq = ?');
    const rows = select.all(from) as { seq: number; message: string; isPosted: number }[];
    for (const { seq, message, isPosted } of rows) {
      // A damaged one keeps what it has: it is parked when its turn comes.
      const stored = readStored<IncomingMessage>(message, isWholeMessage);
      if (stored === undefined) continue;
      const named = (name: string) => (name === from ? to : name);
      const unposted = {
        threadId: named(stored.threadId),
        sender: named(stored.sender),
        participants: [...new Set(stored.participants.map(named))],
      };
      update.run(JSON.stringify({ ...stored, ...(isPosted === 1 ? {} : unposted), conversation: to }), seq);
    }
    const uploads = database.prepare(
      `SELECT seq, message FROM uploads WHERE CASE WHEN json_valid(message) THEN json_extract(message, '$.conversation') END = ?`,
    );
    const updateUpload = database.prepare('UPDATE uploads SET message = ? WHERE seq = ?');
    for (const { seq, message } of uploads.all(from) as { seq: number; message: string }[]) {
      const stored = readStored<UploadMessage>(message);
      if (stored !== undefined) updateUpload.run(JSON.stringify({ ...stored, conversation: to }), seq);
    }
  }

  private rewriteTwinKeys(
    from: string,
    to: string,
    twinKeyOf: (conversation: string, text: string) => string,
  ) {
    const select = this.database.prepare(
      'SELECT seq, text FROM sends WHERE conversation = ? AND twin_key IS NOT NULL',
    );
    const update = this.database.prepare('UPDATE sends SET twin_key = ? WHERE seq = ?');
    for (const { seq, text } of select.all(from) as { seq: number; text: string }[])
      update.run(twinKeyOf(to, text), seq);
  }
}
