import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import type { CommandCounts } from '../../gateway/agents/EdgeBackend.js';
import { type Ack, ackSchema, type WireCommand } from '../../gateway/agents/frames.js';
import { type Database, openDurableDatabase, type Statement } from '../../store/sqlite.js';
import { type Clock, systemClock } from '../../system/clock.js';
import type { AckEffect, CommandQueue, WaitingCommand } from './CommandQueue.js';

/** How long an acked id is known, in ms (90 days): within that a repeated id is recognised. */
const ACKED_KEPT_MS = 90 * 86_400_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS commands (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  agent_id TEXT NOT NULL,
  command_id TEXT NOT NULL,
  command TEXT NOT NULL,
  queued_at INTEGER NOT NULL,
  polling_only INTEGER NOT NULL,
  ack TEXT,
  acked_at INTEGER,
  UNIQUE (agent_id, command_id)
) STRICT;
CREATE INDEX IF NOT EXISTS commands_waiting ON commands (agent_id, place) WHERE ack IS NULL;
CREATE INDEX IF NOT EXISTS commands_acked ON commands (acked_at) WHERE ack IS NOT NULL;`;

interface Row {
  command_id: string;
  command: string;
  queued_at: number;
  polling_only: number;
}

/**
 * The durable queue: one SQLite file, mode 0600, in which commands wait through crashes and restarts. Whatever one turn of
 * the event loop brings goes to the disk in one commit, because each commit waits for the disk: at 4 ms each, commits one by
 * one would end at 250 a second. How often a command was handed out is only known to this process.
 */
export class SqliteCommandQueue implements CommandQueue {
  private readonly database: Database;
  private readonly statements: ReturnType<typeof prepare>;
  private readonly handedOut = new Map<string, { deliveries: number; deliveredAt: number }>();
  private waiters: { then: () => void; otherwise: (mistake: unknown) => void }[] = [];
  private commitDue: NodeJS.Immediate | undefined;

  /** Opens or makes the file (`:memory:`: none). Throws SqliteError. */
  constructor(
    path: string,
    private readonly clock: Clock = systemClock,
  ) {
    if (path !== ':memory:') {
      // Made with its mode: SQLite gives the -wal and -shm files the mode that the file has then.
      if (existsSync(path)) chmodSync(path, 0o600);
      else closeSync(openSync(path, 'a', 0o600));
    }
    this.database = openDurableDatabase(path);
    this.database.exec(SCHEMA);
    this.statements = prepare(this.database);
    this.database.prepare('DELETE FROM commands WHERE acked_at < ?').run(clock.now() - ACKED_KEPT_MS);
  }

  add(agentId: string, command: WireCommand, options: { queuedAt: number; pollingOnly: boolean }): boolean {
    this.begin();
    const { changes } = this.statements.add.run(
      agentId,
      command.command_id,
      JSON.stringify(command),
      options.queuedAt,
      options.pollingOnly ? 1 : 0,
    );
    return changes > 0;
  }

  waiting(agentId: string): readonly WaitingCommand[] {
    return (this.statements.waiting.all(agentId) as Row[]).map((row) => ({
      command: JSON.parse(row.command) as WireCommand,
      queuedAt: row.queued_at,
      pollingOnly: row.polling_only === 1,
      ...(this.handedOut.get(`${agentId} ${row.command_id}`) ?? { deliveries: 0, deliveredAt: undefined }),
    }));
  }

  delivered(agentId: string, commandId: string, at: number): number {
    if (this.statements.isWaiting.get(agentId, commandId) === undefined) return 0;
    const key = `${agentId} ${commandId}`;
    const deliveries = (this.handedOut.get(key)?.deliveries ?? 0) + 1;
    this.handedOut.set(key, { deliveries, deliveredAt: at });
    return deliveries;
  }

  acknowledge(agentId: string, ack: Ack): AckEffect {
    const id = ack.command_id;
    const row = this.statements.ackOf.get(agentId, id) as { ack: string | null } | undefined;
    if (row === undefined) return 'unknown';
    const last = row.ack === null ? undefined : ackSchema.parse(JSON.parse(row.ack));
    if (last !== undefined && ack.revision <= last.revision) return 'repeated';
    this.begin();
    this.statements.acknowledge.run(JSON.stringify(ack), this.clock.now(), agentId, id);
    this.handedOut.delete(`${agentId} ${id}`);
    return last === undefined ? 'first' : 'corrected';
  }

  lastAck(agentId: string, commandId: string): Ack | undefined {
    const row = this.statements.ackOf.get(agentId, commandId) as { ack: string | null } | undefined;
    return row?.ack ? ackSchema.parse(JSON.parse(row.ack)) : undefined;
  }

  counts(agentId?: string): CommandCounts {
    return agentId === undefined
      ? (this.statements.countAll.get() as CommandCounts)
      : (this.statements.count.get(agentId) as CommandCounts);
  }

  whenStored(then: () => void, otherwise: (mistake: unknown) => void): void {
    if (this.commitDue === undefined) then();
    else this.waiters.push({ then, otherwise });
  }

  /** Stores what is outstanding and lets go of the file. Idempotent. */
  close(): void {
    if (!this.database.open) return;
    // Those who waited may have had more to store.
    while (this.commitDue !== undefined) this.commit();
    this.database.close();
  }

  private begin(): void {
    if (this.commitDue !== undefined) return;
    this.database.exec('BEGIN IMMEDIATE');
    this.commitDue = setImmediate(() => this.commit());
  }

  private commit(): void {
    if (this.commitDue === undefined) return;
    clearImmediate(this.commitDue);
    this.commitDue = undefined;
    const waiting = this.waiters;
    this.waiters = [];
    try {
      this.database.exec('COMMIT');
    } catch (mistake) {
      // A full disk, for one. SQLite may have rolled back already.
      if (this.database.inTransaction) this.database.exec('ROLLBACK');
      for (const { otherwise } of waiting) otherwise(mistake);
      return;
    }
    for (const { then } of waiting) then();
  }
}

function prepare(database: Database) {
  const of = (sql: string): Statement => database.prepare(sql);
  return {
    add: of(
      `INSERT INTO commands (agent_id, command_id, command, queued_at, polling_only) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ),
    waiting: of(
      `SELECT command_id, command, queued_at, polling_only FROM commands
       WHERE agent_id = ? AND ack IS NULL ORDER BY place`,
    ),
    isWaiting: of('SELECT 1 FROM commands WHERE agent_id = ? AND command_id = ? AND ack IS NULL'),
    ackOf: of('SELECT ack FROM commands WHERE agent_id = ? AND command_id = ?'),
    acknowledge: of('UPDATE commands SET ack = ?, acked_at = ? WHERE agent_id = ? AND command_id = ?'),
    count: of(
      'SELECT count(*) - count(ack) AS pending, count(ack) AS acked FROM commands WHERE agent_id = ?',
    ),
    countAll: of('SELECT count(*) - count(ack) AS pending, count(ack) AS acked FROM commands'),
  };
}
