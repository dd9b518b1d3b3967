import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

/** Small facts by name: the registered agent id, when the agent was last alive. */
export class MetaTable {
  private readonly select: Statement;
  private readonly upsert: Statement;
  private readonly remove: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.select = database.prepare('SELECT value FROM meta WHERE key = ?').pluck();
    this.upsert = database.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.remove = database.prepare('DELETE FROM meta WHERE key = ?');
  }

  get(key: string): string | undefined {
    return this.select.get(key) as string | undefined;
  }

  /** A fact that is kept as JSON; undefined where there is none, or it is damaged. */
  object<T extends object>(key: string): T | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : this.rows.object<T>('meta', key, value);
  }

  /** The same of a list. */
  list<T>(key: string): T[] | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : this.rows.list<T>('meta', key, value);
  }

  set(key: string, value: string): void {
    this.upsert.run(key, value);
  }

  delete(key: string): void {
    this.remove.run(key);
  }
}
