import type { Database, Statement } from './sqlite.js';

/** What the loop breaker remembers of a conversation. `at` (Unix ms): when it was saved, to which the times in `body` relate. */
interface SavedExchanges {
  body: string;
  at: number;
}

/** The exchanges of the conversations that are being counted, so that a restart does not begin to count from zero. */
export class ExchangeTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(database: Database) {
    this.select = database.prepare('SELECT body, at FROM exchanges WHERE conversation = ?');
    this.upsert = database.prepare(
      `INSERT INTO exchanges (conversation, body, at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET body = excluded.body, at = excluded.at`,
    );
    this.remove = database.prepare('DELETE FROM exchanges WHERE conversation = ?');
  }

  get(conversation: string): SavedExchanges | undefined {
    return this.select.get(conversation) as SavedExchanges | undefined;
  }

  /** Inside a write. */
  set(conversation: string, { body, at }: SavedExchanges): void {
    this.upsert.run(conversation, body, at);
  }

  /** Inside a write. */
  delete(conversation: string): void {
    this.remove.run(conversation);
  }
}
