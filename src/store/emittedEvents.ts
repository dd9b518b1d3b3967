import type { Clock } from '../system/clock.js';
import type { Database, Statement } from './sqlite.js';

/** What of chat.db was told as an event: a row is read again after a restore, and edits are looked for for two days. */
export class EmittedEventTable {
  private readonly insert: Statement;
  private readonly select: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
  ) {
    this.insert = database.prepare('INSERT INTO told (key, at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING');
    this.select = database.prepare('SELECT 1 FROM told WHERE key = ?').pluck();
  }

  /** Inside a write: notes that this is told; false if it was before. Kept for 7 days. */
  note(key: string): boolean {
    return this.insert.run(key, this.clock.now()).changes > 0;
  }

  has(key: string): boolean {
    return this.select.get(key) !== undefined;
  }
}
