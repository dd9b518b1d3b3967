import { z } from 'zod';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { readRows } from './readRows.js';

/*
 * The events that wait for a webhook, by conversation (a lane): a lane is leased to one replica at a time, which sends its oldest
 * event. Leases go by the clock of the database, and end with that of their replica; when an attempt is due goes by the caller's.
 */

const dueAtRow = z.object({ due_at: z.number().nullable() });
const webhookIdRow = z.object({ webhook_id: z.string() });
const leasedRow = z.object({ agent_id: z.string(), lane: z.string(), lease_until: z.number() });

/**
 * The minimum remaining time of a replica's own lease when it takes a lane, and when it gets something to send, in ms;
 * it has that long for it.
 */
const LEFT_TO_TAKE_MS = 9_000;
export const LEFT_TO_SEND_MS = 8_000;

/** The right to send the oldest event of a lane, until the lease ends. */
export interface LaneLease {
  readonly webhookId: string;
  readonly agentId: string;
  readonly lane: string;
  readonly owner: string;
  /** By the clock of the database. Distinguishes it from a later lease of the same replica. */
  readonly until: number;
}

/**
 * Opens the lane of each delivery of an event that waits. One that waits for a retry of an earlier event keeps waiting. False: each was
 * open already, so that who sends its earlier events goes on with this one.
 */
export async function openLanes(
  transaction: Transaction,
  { agentId, eventId }: { agentId: string; eventId: string },
  now: number,
): Promise<boolean> {
  const opened = await transaction.query(
    `INSERT INTO webhook_lanes (agent_id, webhook_id, lane, due_at)
     SELECT agent_id, webhook_id, lane, CAST($3 AS BIGINT) FROM webhook_deliveries
     WHERE agent_id = $1 AND event_id = $2 AND state = 'waiting'
     ON CONFLICT (agent_id, webhook_id, lane) DO NOTHING RETURNING webhook_id`,
    [agentId, eventId, now],
  );
  return opened.length > 0;
}

/** A lane that no replica holds: its lease is over, or that of the replica itself is, because it died. */
const isFree = (lane: string, nowMs: string) =>
  `(${lane}.lease_until < ${nowMs} OR NOT EXISTS (SELECT 1 FROM replicas r
     WHERE r.replica_id = ${lane}.lease_owner AND r.lease_until > ${nowMs}))`;

/** When the next lane falls due that is not due now, of the webhooks that are enabled. Undefined: none waits. */
export async function nextDue(queries: Queries, now: number): Promise<number | undefined> {
  // One look into the index for each webhook, however many lanes wait.
  const rows = await queries.query(
    `SELECT (SELECT min(l.due_at) FROM webhook_lanes l WHERE l.webhook_id = w.webhook_id AND l.due_at > $1) AS due_at
     FROM webhooks w WHERE w.disabled_reason IS NULL`,
    [now],
  );
  const times = readRows(dueAtRow, rows).flatMap(({ due_at }) => (due_at === null ? [] : [due_at]));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The webhooks that have something due; lanes that a replica has are not counted. */
export async function dueWebhooks(queries: Queries, now: number): Promise<string[]> {
  const rows = await queries.query(
    `SELECT DISTINCT l.webhook_id FROM webhook_lanes l LEFT JOIN webhooks w ON w.webhook_id = l.webhook_id
     WHERE l.due_at <= $1 AND ${isFree('l', queries.nowMs)} AND w.disabled_reason IS NULL`,
    [now],
  );
  return readRows(webhookIdRow, rows).map(({ webhook_id }) => webhook_id);
}

/**
 * Takes up to `limit` due lanes of a webhook, those that wait longest first, for a replica: none for one whose own lease is nearly
 * over. No other one has them until either lease ends.
 */
export async function leaseLanes(
  transaction: Transaction,
  webhookId: string,
  lease: { owner: string; leaseMs: number; limit: number },
  now: number,
): Promise<LaneLease[]> {
  // Two replicas that ask at once take different lanes; SQLite has one writer.
  const skip = transaction.dialect === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '';
  const rows = await transaction.query(
    `WITH due AS (
       SELECT agent_id, lane FROM webhook_lanes
       WHERE webhook_id = $1 AND due_at <= $2 AND ${isFree('webhook_lanes', transaction.nowMs)}
         AND EXISTS (SELECT 1 FROM replicas WHERE replica_id = $3
           AND replicas.lease_until > ${transaction.nowMs} + ${LEFT_TO_TAKE_MS})
       ORDER BY due_at LIMIT CAST($5 AS BIGINT) ${skip}
     )
     UPDATE webhook_lanes SET lease_owner = $3, lease_until = ${transaction.nowMs} + CAST($4 AS BIGINT)
     FROM due
     WHERE webhook_lanes.webhook_id = $1 AND webhook_lanes.agent_id = due.agent_id AND webhook_lanes.lane = due.lane
     RETURNING webhook_lanes.agent_id AS agent_id, webhook_lanes.lane AS lane, webhook_lanes.lease_until AS lease_until`,
    [webhookId, now, lease.owner, lease.leaseMs, lease.limit],
  );
  return readRows(leasedRow, rows).map((row) => ({
    webhookId,
    agentId: row.agent_id,
    lane: row.lane,
    owner: lease.owner,
    until: row.lease_until,
  }));
}

/**
 * Whether the lease of a lane is the last that was given, so that no other attempt was made of its oldest event since. No other is given
 * before the end of the transaction.
 */
export async function holdsLane(
  transaction: Transaction,
  { agentId, webhookId, lane, owner, until }: LaneLease,
): Promise<boolean> {
  const rows = await transaction.query(
    `SELECT 1 AS one FROM webhook_lanes
     WHERE agent_id = $1 AND webhook_id = $2 AND lane = $3 AND lease_owner = $4 AND lease_until = $5
     ${transaction.dialect === 'postgres' ? 'FOR UPDATE' : ''}`,
    [agentId, webhookId, lane, owner, until],
  );
  return rows.length > 0;
}

/**
 * Gives a lane back: due when its oldest event is, or gone if nothing waits in it. False: it was leased again since, and nothing is done.
 * Within the lock of the agent.
 */
export async function releaseLane(
  transaction: Transaction,
  { agentId, webhookId, lane, owner, until }: LaneLease,
): Promise<boolean> {
  const place = [agentId, webhookId, lane, owner, until];
  const held = 'agent_id = $1 AND webhook_id = $2 AND lane = $3 AND lease_owner = $4 AND lease_until = $5';
  const rows = await transaction.query(
    `SELECT (SELECT d.next_at FROM webhook_deliveries d
       WHERE d.agent_id = $1 AND d.webhook_id = $2 AND d.lane = $3 AND d.state = 'waiting' ORDER BY d.seq LIMIT 1) AS due_at
     FROM webhook_lanes WHERE ${held}`,
    place,
  );
  const [row] = readRows(dueAtRow, rows);
  if (row === undefined) return false;
  if (row.due_at === null) void transaction.query(`DELETE FROM webhook_lanes WHERE ${held}`, place);
  else
    void transaction.query(
      `UPDATE webhook_lanes SET due_at = $6, lease_until = 0, lease_owner = NULL WHERE ${held}`,
      [...place, row.due_at],
    );
  return true;
}

/**
 * Continues a lane after an event that was accepted after all, by an attempt that had lost the lane: the next event
 * does not wait for the retry of that one. A lane held by another attempt is left to it. Within the lock of the agent.
 */
export async function hurryLane(
  transaction: Transaction,
  { agentId, webhookId, lane }: LaneLease,
): Promise<void> {
  await transaction.query(
    `UPDATE webhook_lanes SET due_at = coalesce((SELECT next_at FROM webhook_deliveries d
       WHERE d.agent_id = $1 AND d.webhook_id = $2 AND d.lane = $3 AND d.state = 'waiting' ORDER BY d.seq LIMIT 1), 0)
     WHERE agent_id = $1 AND webhook_id = $2 AND lane = $3 AND lease_owner IS NULL`,
    [agentId, webhookId, lane],
  );
}
