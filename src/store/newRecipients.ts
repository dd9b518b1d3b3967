import type { Database, Statement } from './sqlite.js';

interface NewRecipient {
  conversation: string;
  /** Unix ms. */
  writtenAt: number;
}

/** Whom we wrote to lately although chat.db knew no conversation with them. */
export class NewRecipientTable {
  private readonly select: Statement;
  private readonly insert: Statement;
  private readonly remove: Statement;

  constructor(database: Database) {
    this.select = database.prepare(
      'SELECT conversation, written_at AS writtenAt FROM new_recipients WHERE written_at > ? ORDER BY written_at',
    );
    this.insert = database.prepare(
      'INSERT OR REPLACE INTO new_recipients (conversation, written_at) VALUES (?, ?)',
    );
    this.remove = database.prepare('DELETE FROM new_recipients WHERE written_at <= ?');
  }

  /** Those written to after that time (Unix ms), the longest ago first. */
  since(at: number): NewRecipient[] {
    return this.select.all(at) as NewRecipient[];
  }

  /** Inside a write: notes one, and forgets those that were written to at `forgetUntil` (Unix ms) or before. */
  add({ conversation, writtenAt }: NewRecipient, forgetUntil: number): void {
    this.remove.run(forgetUntil);
    this.insert.run(conversation, writtenAt);
  }
}
