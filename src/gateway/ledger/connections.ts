import { z } from 'zod';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { readRows } from './readRows.js';

const epochRow = z.object({ epoch: z.number() });
const replicaIdRow = z.object({ replica_id: z.string() });
const formerRow = z.object({ replica_id: z.string().nullable(), told_online: z.number().nullable() });
const holderRow = z.object({ replica_id: z.string(), epoch: z.number(), since: z.number() });
const agentHolderRow = z.object({ agent_id: z.string(), replica_id: z.string() });
const heldRow = z.object({ agent_id: z.string(), epoch: z.number() });
const lostAgentRow = z.object({
  agent_id: z.string(),
  epoch: z.number(),
  ended_at: z.number(),
  reason: z.string().nullable(),
});

/**
 * Which replica holds the socket of which agent. A replica has one lease for all of its sockets, by the clock of the
 * database: a socket counts while that lease does, so that an idle agent costs no write. `told_online` is the state
 * last reported to applications.
 */
export const connectionTables = (): readonly string[] => [
  `CREATE TABLE connections (
    agent_id TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    replica_id TEXT,
    since BIGINT NOT NULL,
    ended_at BIGINT,
    reason TEXT,
    told_online BIGINT NOT NULL
  )`,
  'CREATE INDEX connections_replica ON connections (replica_id) WHERE replica_id IS NOT NULL',
  'CREATE INDEX connections_ended ON connections (ended_at) WHERE replica_id IS NULL AND told_online = 1',
  `CREATE TABLE replicas (
    replica_id TEXT PRIMARY KEY,
    lease_until BIGINT NOT NULL,
    started_at BIGINT NOT NULL
  )`,
];

/** Who has an agent's socket. `since`: Unix ms, by the clock of that replica. */
interface SocketHolder {
  readonly replicaId: string;
  readonly epoch: number;
  readonly since: number;
}

/** A socket that an agent has just opened: it takes the place of any other. */
export interface ClaimedSocket {
  readonly epoch: number;
  /** The replica that held a socket before, if one did; it may be the same. */
  readonly former: string | undefined;
  /** Whether applications were notified that the agent has a socket; from now on they are. */
  readonly wasOnline: boolean;
}

/** Takes over the socket of an agent. Undefined: the agent was removed, and holds none any more. Within the lock of the agent. */
export async function claimConnection(
  transaction: Transaction,
  agentId: string,
  replicaId: string,
  now: number,
): Promise<ClaimedSocket | undefined> {
  const found = await transaction.query(
    `SELECT c.replica_id AS replica_id, c.told_online AS told_online
     FROM agents a LEFT JOIN connections c ON c.agent_id = a.agent_id WHERE a.agent_id = $1`,
    [agentId],
  );
  const [before] = readRows(formerRow, found);
  if (before === undefined) return undefined;
  const claimed = await transaction.query(
    `INSERT INTO connections (agent_id, epoch, replica_id, since, told_online) VALUES ($1, 1, $2, $3, 1)
     ON CONFLICT (agent_id) DO UPDATE SET epoch = connections.epoch + 1, replica_id = excluded.replica_id,
       since = excluded.since, ended_at = NULL, reason = NULL, told_online = 1
     RETURNING epoch`,
    [agentId, replicaId, now],
  );
  const [row] = readRows(epochRow, claimed);
  return {
    epoch: row?.epoch ?? 0,
    former: before.replica_id ?? undefined,
    wasOnline: before.told_online === 1,
  };
}

/** Gives up a socket that ended, unless another one has taken its place. Takes the lock of the agent. */
export async function releaseConnection(
  transaction: Transaction,
  agentId: string,
  epoch: number,
  reason: string,
): Promise<void> {
  await transaction.lock(agentId);
  await transaction.query(
    `UPDATE connections SET replica_id = NULL, ended_at = ${transaction.nowMs}, reason = $3
     WHERE agent_id = $1 AND epoch = $2`,
    [agentId, epoch, reason],
  );
}

/** The replica that holds the socket of an agent. Undefined: none that is alive does. */
export async function holderOf(queries: Queries, agentId: string): Promise<SocketHolder | undefined> {
  const rows = await queries.query(
    `SELECT c.replica_id AS replica_id, c.epoch AS epoch, c.since AS since
     FROM connections c JOIN replicas r ON r.replica_id = c.replica_id
     WHERE c.agent_id = $1 AND r.lease_until > ${queries.nowMs}`,
    [agentId],
  );
  const [row] = readRows(holderRow, rows);
  return row === undefined ? undefined : { replicaId: row.replica_id, epoch: row.epoch, since: row.since };
}

/** The live replicas that hold the sockets of these agents (at most a few hundred). An agent without a socket is not in it. */
export async function holdersOf(
  queries: Queries,
  agentIds: readonly string[],
): Promise<{ agentId: string; replicaId: string }[]> {
  if (agentIds.length === 0) return [];
  const rows = await queries.query(
    `SELECT c.agent_id AS agent_id, c.replica_id AS replica_id
     FROM connections c JOIN replicas r ON r.replica_id = c.replica_id
     WHERE c.agent_id IN (${agentIds.map((_, index) => `$${index + 1}`).join(', ')})
       AND r.lease_until > ${queries.nowMs}`,
    agentIds,
  );
  return readRows(agentHolderRow, rows).map((row) => ({
    agentId: row.agent_id,
    replicaId: row.replica_id,
  }));
}

/** The sockets that a replica holds as the database has it, by agent: their epochs. */
export async function heldBy(queries: Queries, replicaId: string): Promise<Map<string, number>> {
  const rows = await queries.query('SELECT agent_id, epoch FROM connections WHERE replica_id = $1', [
    replicaId,
  ]);
  return new Map(readRows(heldRow, rows).map((row) => [row.agent_id, row.epoch]));
}

/** Starts or extends the lease of a replica. */
export async function renewReplica(
  transaction: Transaction,
  replicaId: string,
  leaseMs: number,
  now: number,
): Promise<void> {
  await transaction.query(
    `INSERT INTO replicas (replica_id, lease_until, started_at) VALUES ($1, ${transaction.nowMs} + CAST($2 AS BIGINT), $3)
     ON CONFLICT (replica_id) DO UPDATE SET lease_until = excluded.lease_until`,
    [replicaId, leaseMs, now],
  );
}

/** Ends the lease of a replica, if it has one, and gives up every socket that it holds, for this reason. */
export async function endReplica(transaction: Transaction, replicaId: string, reason: string): Promise<void> {
  await transaction.query(
    `UPDATE connections SET replica_id = NULL, ended_at = ${transaction.nowMs}, reason = $2 WHERE replica_id = $1`,
    [replicaId, reason],
  );
  await transaction.query('DELETE FROM replicas WHERE replica_id = $1', [replicaId]);
}

/** The same for every replica, where it is known that none is alive: in SQLite, whose one process has just started. */
export async function endAllReplicas(transaction: Transaction): Promise<void> {
  await transaction.query(
    `UPDATE connections SET replica_id = NULL, ended_at = ${transaction.nowMs}, reason = 'its gateway died'
     WHERE replica_id IS NOT NULL`,
  );
  await transaction.query('DELETE FROM replicas');
}

/** The replicas whose lease counts. */
export async function liveReplicas(queries: Queries): Promise<string[]> {
  const rows = await queries.query(
    `SELECT replica_id FROM replicas WHERE lease_until > ${queries.nowMs} ORDER BY started_at`,
  );
  return readRows(replicaIdRow, rows).map(({ replica_id }) => replica_id);
}

/** Deletes replicas that died more than `graceMs` ago; their sockets count as ended then. */
export async function forgetDeadReplicas(transaction: Transaction, graceMs: number): Promise<void> {
  await transaction.query(
    `UPDATE connections SET replica_id = NULL, ended_at = ${transaction.nowMs} - CAST($1 AS BIGINT),
       reason = 'its gateway died'
     WHERE replica_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM replicas r
       WHERE r.replica_id = connections.replica_id AND r.lease_until > ${transaction.nowMs} - CAST($1 AS BIGINT))`,
    [graceMs],
  );
  await transaction.query(
    `DELETE FROM replicas WHERE lease_until < ${transaction.nowMs} - CAST($1 AS BIGINT)`,
    [graceMs],
  );
}

/** An agent that applications believe to have a socket, and that has had none for a while. */
export interface LostAgent {
  readonly agentId: string;
  readonly epoch: number;
  readonly since: number;
  readonly reason: string;
}

/** Agents that have had no socket for `graceMs`, and whose offline event is still missing. */
export async function lostAgents(queries: Queries, graceMs: number, limit: number): Promise<LostAgent[]> {
  const rows = await queries.query(
    `SELECT agent_id, epoch, ended_at, reason FROM connections
     WHERE replica_id IS NULL AND told_online = 1 AND ended_at <= ${queries.nowMs} - CAST($1 AS BIGINT)
     ORDER BY ended_at LIMIT CAST($2 AS BIGINT)`,
    [graceMs, limit],
  );
  return readRows(lostAgentRow, rows).map((row) => ({
    agentId: row.agent_id,
    epoch: row.epoch,
    since: row.ended_at,
    reason: row.reason ?? '',
  }));
}

/**
 * Records that applications are notified that an agent is offline. False: it has a socket again. Within the lock of the
 * agent.
 */
export async function recordOffline(
  transaction: Transaction,
  agentId: string,
  epoch: number,
): Promise<boolean> {
  const noted = await transaction.query(
    `UPDATE connections SET told_online = 0
     WHERE agent_id = $1 AND epoch = $2 AND replica_id IS NULL AND told_online = 1 RETURNING agent_id`,
    [agentId, epoch],
  );
  return noted.length > 0;
}
