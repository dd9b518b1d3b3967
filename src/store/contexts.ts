import type { Clock } from '../system/clock.js';
import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

/** What the backend wants to get back with a conversation's next messages. One per conversation; the last wins. */
export class ContextTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.select = database.prepare('SELECT body FROM contexts WHERE conversation = ?').pluck();
    this.upsert = database.prepare(
      `INSERT INTO contexts (conversation, body, updated_at) VALUES (?, ?, ?)
       ON CONFLICT (conversation) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at`,
    );
    this.remove = database.prepare('DELETE FROM contexts WHERE conversation = ?');
  }

  get(conversation: string): Record<string, unknown> | undefined {
    const body = this.select.get(conversation) as string | undefined;
    return body === undefined ? undefined : this.rows.object('contexts', conversation, body);
  }

  set(conversation: string, body: Record<string, unknown>): void {
    this.upsert.run(conversation, JSON.stringify(body), this.clock.now());
  }

  /** True if there was one. */
  delete(conversation: string): boolean {
    return this.remove.run(conversation).changes > 0;
  }
}
