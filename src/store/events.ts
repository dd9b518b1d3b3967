import type { Clock } from '../system/clock.js';
import { freshId } from '../system/random.js';
import { type CommitHooks, CommitSignal } from './outbox.js';
import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

export interface NewEvent {
  eventType: string;
  threadId?: string;
  details: Record<string, unknown>;
}

/** An event that the backend has not acknowledged. `eventId` is its idempotency key; `timestamp` is ISO 8601. */
interface StoredEvent extends NewEvent {
  seq: number;
  eventId: string;
  timestamp: string;
}

interface EventRow {
  seq: number;
  event_id: string;
  event_type: string;
  thread_id: string | null;
  details: string;
  created_at: number;
}

/** The events still to be delivered. */
export class EventTable {
  private readonly added: CommitSignal;
  private readonly insert: Statement;
  private readonly select: Statement;
  private readonly remove: Statement;
  private readonly removeId: Statement;
  private readonly exists: Statement;
  private readonly counted: Statement;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: CommitHooks,
    private readonly rows: StoredRows,
  ) {
    this.added = new CommitSignal(hooks);
    this.insert = database.prepare(
      'INSERT INTO events (event_id, event_type, thread_id, details, created_at) VALUES (?, ?, ?, ?, ?)',
    );
    this.select = database.prepare('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
    this.remove = database.prepare('DELETE FROM events WHERE seq = ?');
    this.removeId = database.prepare('DELETE FROM events WHERE event_id = ?');
    this.exists = database.prepare('SELECT 1 FROM events WHERE seq = ?').pluck();
    this.counted = database.prepare('SELECT count(*) FROM events').pluck();
  }

  /** Queues an event under a fresh id. */
  add(event: NewEvent): void {
    const details = JSON.stringify(event.details);
    this.insert.run(freshId('evt'), event.eventType, event.threadId ?? null, details, this.clock.now());
    this.added.raise();
  }

  /** Events with a greater `seq`, oldest first, at most `limit`; one that is damaged is left out. */
  after(seq: number, limit: number): StoredEvent[] {
    return (this.select.all(seq, limit) as EventRow[]).flatMap((row) => {
      const details = this.rows.object<Record<string, unknown>>('events', row.event_id, row.details);
      if (details === undefined) return [];
      return {
        seq: row.seq,
        eventId: row.event_id,
        eventType: row.event_type,
        ...(row.thread_id === null ? {} : { threadId: row.thread_id }),
        details,
        timestamp: new Date(row.created_at).toISOString(),
      };
    });
  }

  clear(seqs: readonly number[]): void {
    for (const seq of seqs) this.remove.run(seq);
  }

  clearIds(eventIds: readonly string[]): void {
    for (const id of eventIds) this.removeId.run(id);
  }

  has(seq: number): boolean {
    return this.exists.get(seq) !== undefined;
  }

  count(): number {
    return this.counted.get() as number;
  }

  afterInsert(listener: () => void): () => void {
    return this.added.subscribe(listener);
  }
}
