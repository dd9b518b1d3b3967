import type { Clock } from '../system/clock.js';
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

/** The way of addressing a conversation that worked where a better one had failed; forgotten after some days. */
export class TargetFormTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    this.select = database.prepare('SELECT form FROM target_forms WHERE conversation = ?').pluck();
    this.upsert = database.prepare(
      `INSERT INTO target_forms (conversation, form, learnt_at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET form = excluded.form, learnt_at = excluded.learnt_at
       WHERE form <> excluded.form`,
    );
    this.remove = database.prepare('DELETE FROM target_forms WHERE conversation = ?');
  }

  get(conversation: string): string | undefined {
    return this.select.get(conversation) as string | undefined;
  }

  /** Inside a write. Learning the same again changes nothing. */
  set(conversation: string, form: string): void {
    this.upsert.run(conversation, form, this.clock.now());
  }

  /** Inside a write. */
  forget(conversation: string): void {
    this.remove.run(conversation);
  }
}
