import type { AckBody } from '../model/agentBodies.js';
import type { EventType } from '../model/events.js';
import type { Clock } from '../system/clock.js';
import { freshId } from '../system/random.js';
import { columns, type Database, type Statement, type StoredRows } from './sqlite.js';

/** Where a table of items to report attaches its "something was added" calls to the commit that made them durable. */
export interface CommitHooks {
  afterCommit(hook: () => void): void;
}

/** Notifies listeners, after the commit, that something was added. */
export class CommitSignal {
  private readonly listeners = new Set<() => void>();

  constructor(private readonly hooks: CommitHooks) {}

  /** Calls `listener` after each commit that added something; returns the way to stop it. */
  subscribe(listener: () => void): () => void {
    // A wrapper, so that the same function subscribed twice is two subscriptions.
    const entry = () => listener();
    this.listeners.add(entry);
    return () => {
      this.listeners.delete(entry);
    };
  }

  /** Inside a write: listeners are notified once, however often it is raised in one commit. */
  raise(): void {
    this.hooks.afterCommit(this.notify);
  }

  private readonly notify = (): void => {
    for (const listener of this.listeners) listener();
  };
}

/** How an ack reached the backend. */
type AckChannel = 'websocket' | 'http';

/** An ack that the backend has not provably read. `seq` grows; order per command is the order of `seq`. */
interface StoredAck {
  seq: number;
  commandId: string;
  revision: number;
  body: AckBody;
  createdAt: number;
}

type AckRow = Omit<StoredAck, 'body'> & { body: string };

interface RemovedAck {
  id: string;
  revision: number;
  givenAt: number;
}

const isAck = (fields: Readonly<Record<string, unknown>>) => typeof fields.status === 'string';

/**
 * The stored ack of a command. If it is damaged, the backend gets `outcome_unknown`: it waits for the end of its
 * command, and the real outcome is lost.
 */
export function readAck(
  rows: StoredRows,
  json: string,
  { commandId, revision, at }: { commandId: string; revision: number; at: number },
): AckBody {
  const time = new Date(at).toISOString();
  return (
    rows.object<AckBody>('commands', commandId, json, isAck) ?? {
      command_id: commandId,
      status: 'failed',
      success: false,
      error: 'outcome_unknown: the record of the ack is damaged',
      completed_at: time,
      timestamp: time,
      revision,
      result: { outcome: 'unknown', retry_safe: false },
    }
  );
}

type DeliveredListener = (givenAt: number, commandId: string) => void;

/** The acks still to be delivered. */
export class AckTable {
  private readonly added: CommitSignal;
  private readonly insert: Statement;
  private readonly select: Statement;
  private readonly selectKept: Statement;
  private readonly remove: Statement;
  private readonly noteRead: Statement;
  private readonly removeOlder: Statement;
  private readonly removeEarlier: Statement;
  private readonly exists: Statement;
  private readonly counted: Statement;
  private readonly delivered: DeliveredListener[] = [];
  private lastReadAt: number | null = null;

  constructor(
    database: Database,
    private readonly clock: Clock,
    hooks: CommitHooks,
    private readonly rows: StoredRows,
  ) {
    this.added = new CommitSignal(hooks);
    this.insert = database.prepare(
      'INSERT INTO acks (command_id, revision, body, created_at) VALUES (?, ?, ?, ?)',
    );
    const fields = columns<AckRow>('seq', 'commandId', 'revision', 'body', 'createdAt');
    this.select = database.prepare(`SELECT ${fields} FROM acks WHERE seq > ? ORDER BY seq LIMIT +?`);
    this.selectKept = database
      .prepare('SELECT ack FROM commands WHERE command_id = ? AND revision = ?')
      .pluck();
    this.remove = database.prepare(
      'DELETE FROM acks WHERE seq = ? RETURNING command_id AS id, revision, created_at AS givenAt',
    );
    this.noteRead = database.prepare(
      'UPDATE commands SET ack_read_at = ?, ack_read_via = ? WHERE command_id = ? AND revision = ?',
    );
    this.removeOlder = database.prepare('DELETE FROM acks WHERE command_id = ?');
    this.removeEarlier = database.prepare('DELETE FROM acks WHERE command_id = ? AND seq < ?');
    this.exists = database.prepare('SELECT 1 FROM acks WHERE command_id = ? AND revision = ?').pluck();
    this.counted = database.prepare('SELECT count(*) FROM acks').pluck();
  }

  /** Queues an ack. Older undelivered acks of the same command are kept: their order is the order of events. */
  add(body: AckBody): void {
    this.insert.run(body.command_id, body.revision, JSON.stringify(body), this.clock.now());
    this.added.raise();
  }

  /** Queues an ack that repeats one already stored; it replaces undelivered ones of that command. */
  addAgain(body: AckBody): void {
    this.removeOlder.run(body.command_id);
    this.add(body);
  }

  /** Acks with a greater `seq`, oldest first, at most `limit`. */
  after(seq: number, limit: number): StoredAck[] {
    const rows = this.select.all(seq, limit) as AckRow[];
    return rows.map((row) => ({
      ...row,
      body: this.rows.object<AckBody>('acks', row.commandId, row.body, isAck) ?? this.kept(row),
    }));
  }

  /** The same ack as its command keeps it. */
  private kept({ commandId, revision, createdAt: at }: AckRow): AckBody {
    const json = this.selectKept.get(commandId, revision) as string | null | undefined;
    return readAck(this.rows, json ?? '', { commandId, revision, at });
  }

  /**
   * Inside a write: deletes acks that the backend provably read; their commands record when, and by which channel.
   * Earlier ones of the same command, which the backend may have refused, are deleted too: nothing is sent after its
   * correction.
   */
  clear(seqs: readonly number[], via: AckChannel = 'websocket'): void {
    for (const seq of seqs) {
      const ack = this.remove.get(seq) as RemovedAck | undefined;
      if (ack === undefined) continue;
      this.removeEarlier.run(ack.id, seq);
      this.lastReadAt = this.clock.now();
      this.noteRead.run(this.lastReadAt, via, ack.id, ack.revision);
      for (const listener of this.delivered) listener(ack.givenAt, ack.id);
    }
  }

  /** When the backend last provably read one in this life of the agent, Unix ms; null: it has not yet. */
  get readAt(): number | null {
    return this.lastReadAt;
  }

  /** Called with the time (Unix ms) when each delivered ack was created, and its command, inside the write that deletes it. */
  onDelivered(listener: DeliveredListener): void {
    this.delivered.push(listener);
  }

  /** Whether this ack is undelivered, wherever in the queue it is: a repetition has another `seq`. */
  has(commandId: string, revision: number): boolean {
    return this.exists.get(commandId, revision) !== undefined;
  }

  count(): number {
    return this.counted.get() as number;
  }

  afterInsert(listener: () => void): () => void {
    return this.added.subscribe(listener);
  }
}

export interface NewEvent {
  eventType: EventType;
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
  eventId: string;
  eventType: EventType;
  threadId: string | null;
  details: string;
  createdAt: number;
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
    const fields = columns<EventRow>('seq', 'eventId', 'eventType', 'threadId', 'details', 'createdAt');
    this.select = database.prepare(`SELECT ${fields} FROM events WHERE seq > ? ORDER BY seq LIMIT +?`);
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
      const { threadId, createdAt, ...event } = row;
      const details = this.rows.object<Record<string, unknown>>('events', row.eventId, row.details);
      if (details === undefined) return [];
      return {
        ...event,
        ...(threadId === null ? {} : { threadId }),
        details,
        timestamp: new Date(createdAt).toISOString(),
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

/**
 * The rows of chat.db that were reported as an event: a row is read again after a restore, and edits are searched for
 * two days.
 */
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

  /** Inside a write: records that this was reported; false if it was before. Kept for 7 days. */
  note(key: string): boolean {
    return this.insert.run(key, this.clock.now()).changes > 0;
  }

  has(key: string): boolean {
    return this.select.get(key) !== undefined;
  }
}
