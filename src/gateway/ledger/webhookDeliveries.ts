import { z } from 'zod';
import type { Queries, StoredRow, StoredValue, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { readRows } from './readRows.js';
import { type LaneLease, LEFT_TO_SEND_MS, openLanes } from './webhookLanes.js';

/* Which events wait for which webhook. Those of one conversation (a lane) go out one after the other (see webhookLanes.ts). */

type DeliveryState = 'waiting' | 'delivered' | 'set_aside';

/** What became of a reply in the answer to `message.received`. */
export type AnswerFate = 'none' | 'given' | 'sent_later' | 'invalid';

/** One event for one webhook. Times are Unix ms. */
export interface WebhookDelivery {
  readonly webhookId: string;
  readonly agentId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly lane: string;
  readonly seq: number;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly createdAt: number;
  readonly nextAt: number | null;
  readonly lastAt: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly answer: AnswerFate | null;
}

/** What is noted of an attempt. `nextAt` null: there is no further one. */
export interface AttemptRecord {
  readonly state: DeliveryState;
  readonly nextAt: number | null;
  readonly status: number | null;
  readonly error: string | null;
  readonly answer: AnswerFate | null;
}

export const webhookDeliveryTables = (): readonly string[] => [
  `CREATE TABLE webhook_deliveries (
    agent_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT,
    last_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    answer TEXT,
    PRIMARY KEY (agent_id, webhook_id, event_id)
  )`,
  `CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (agent_id, webhook_id, lane, seq)
     WHERE state = 'waiting'`,
  'CREATE INDEX webhook_deliveries_event ON webhook_deliveries (agent_id, event_id)',
  `CREATE INDEX webhook_deliveries_settled ON webhook_deliveries ((coalesce(last_at, created_at)))
     WHERE state <> 'waiting'`,
  'CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, seq)',
  `CREATE TABLE webhook_lanes (
    agent_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (agent_id, webhook_id, lane)
  )`,
  'CREATE INDEX webhook_lanes_due ON webhook_lanes (webhook_id, due_at)',
];

const rowSchema = z
  .object({
    webhook_id: z.string(),
    agent_id: z.string(),
    event_id: z.string(),
    event_type: z.string(),
    lane: z.string(),
    seq: z.number(),
    state: z.enum(['waiting', 'delivered', 'set_aside']),
    attempts: z.number(),
    created_at: z.number(),
    next_at: z.number().nullable(),
    last_at: z.number().nullable(),
    last_status: z.number().nullable(),
    last_error: z.string().nullable(),
    answer: z.enum(['none', 'given', 'sent_later', 'invalid']).nullable(),
  })
  .transform(
    (row): WebhookDelivery => ({
      webhookId: row.webhook_id,
      agentId: row.agent_id,
      eventId: row.event_id,
      eventType: row.event_type,
      lane: row.lane,
      seq: row.seq,
      state: row.state,
      attempts: row.attempts,
      createdAt: row.created_at,
      nextAt: row.next_at,
      lastAt: row.last_at,
      lastStatus: row.last_status,
      lastError: row.last_error,
      answer: row.answer,
    }),
  );

const deliveriesOf = (rows: readonly StoredRow[]) => readRows(rowSchema, rows);

interface EventForWebhooks {
  readonly agentId: string;
  readonly eventId: string;
  readonly type: string;
  readonly seq: number;
  readonly lane: string;
}

/**
 * Lays an event down for every webhook that wants it: $1 is its agent, $2 its id, $3 its type, $4 its lane, $5 the time now. `seq` is an
 * expression, of `from` or of a further parameter.
 */
const layDown = (seq: string, from = '') =>
  `INSERT INTO webhook_deliveries
     (agent_id, webhook_id, event_id, event_type, lane, seq, state, attempts, created_at, next_at)
   SELECT DISTINCT CAST($1 AS TEXT), s.webhook_id, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT),
     ${seq}, 'waiting', 0, CAST($5 AS BIGINT), CAST($5 AS BIGINT)
   FROM ${from} webhook_subscriptions s WHERE s.agent_id IN ($1, '*') AND s.type IN ($3, '*')`;

/** Stores an event for every webhook that wants it. Returns whether it opened a lane (`openLanes`). Within the lock of the agent. */
export async function enqueueDeliveries(
  transaction: Transaction,
  { agentId, eventId, type, seq, lane }: EventForWebhooks,
  now: number,
): Promise<boolean> {
  const laid = await transaction.query(LAY_DOWN, [agentId, eventId, type, lane, now, seq]);
  return laid.length > 0 && openLanes(transaction, { agentId, eventId }, now);
}

const LAY_DOWN = `${layDown('CAST($6 AS BIGINT)')} RETURNING webhook_id`;

/**
 * The same as the end of a statement of PostgreSQL, whose `stored` gives the `seq` of the event, and no row if it is
 * not to be stored. It gives a row for each lane that it opened.
 */
export const LAY_DOWN_STORED = `laid AS (
    ${layDown('stored.seq', 'stored CROSS JOIN')} RETURNING agent_id, webhook_id, lane
  )
  INSERT INTO webhook_lanes (agent_id, webhook_id, lane, due_at)
  SELECT agent_id, webhook_id, lane, CAST($5 AS BIGINT) FROM laid
  ON CONFLICT (agent_id, webhook_id, lane) DO NOTHING RETURNING webhook_id`;

/** Lays an event down for one webhook, whatever it subscribed to. */
export function enqueueDelivery(
  transaction: Transaction,
  webhookId: string,
  { agentId, eventId, type, seq, lane }: EventForWebhooks,
  now: number,
): void {
  void transaction.query(
    `INSERT INTO webhook_deliveries
       (agent_id, webhook_id, event_id, event_type, lane, seq, state, attempts, created_at, next_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 0, $7, $7)`,
    [agentId, webhookId, eventId, type, lane, seq, now],
  );
  void openLanes(transaction, { agentId, eventId }, now);
}

/**
 * The oldest event that waits in a lane, with the body that is to be posted: within `LEFT_TO_SEND_MS` of the question, because another
 * replica may have the lane after that. Undefined: none waits, or the lease counts no more.
 */
export async function headOfLane(
  queries: Queries,
  { agentId, webhookId, lane, owner, until }: LaneLease,
): Promise<{ delivery: WebhookDelivery; body: string } | undefined> {
  const [row] = await queries.query(
    `SELECT d.*, e.body AS body FROM webhook_deliveries d
     JOIN event_log e ON e.agent_id = d.agent_id AND e.event_id = d.event_id
     WHERE d.agent_id = $1 AND d.webhook_id = $2 AND d.lane = $3 AND d.state = 'waiting'
       AND EXISTS (SELECT 1 FROM webhook_lanes l JOIN replicas r ON r.replica_id = l.lease_owner
         WHERE l.agent_id = $1 AND l.webhook_id = $2 AND l.lane = $3 AND l.lease_owner = $4 AND l.lease_until = $5
           AND l.lease_until > ${queries.nowMs} + ${LEFT_TO_SEND_MS} AND r.lease_until > ${queries.nowMs} + ${LEFT_TO_SEND_MS})
     ORDER BY d.seq LIMIT 1`,
    [agentId, webhookId, lane, owner, until],
  );
  if (row === undefined) return undefined;
  return { delivery: rowSchema.parse(row), body: z.string().parse(row.body) };
}

/**
 * Records the result of an attempt of a waiting delivery. Within the lock of the agent, followed by `releaseLane`. Does
 * nothing if another replica has recorded a success after our lease had ended.
 */
export function recordAttempt(
  transaction: Transaction,
  { agentId, webhookId, eventId }: WebhookDelivery,
  record: AttemptRecord,
  now: number,
): void {
  void transaction.query(
    `UPDATE webhook_deliveries
     SET state = $4, attempts = attempts + 1, next_at = $5, last_at = $6, last_status = $7, last_error = $8, answer = $9
     WHERE agent_id = $1 AND webhook_id = $2 AND event_id = $3 AND state = 'waiting'`,
    [
      agentId,
      webhookId,
      eventId,
      record.state,
      record.nextAt,
      now,
      record.status,
      record.error,
      record.answer,
    ],
  );
}

/** Whether another webhook still has this event before it, so that its answer may yet come. */
export async function isAwaitedElsewhere(
  queries: Queries,
  agentId: string,
  eventId: string,
): Promise<boolean> {
  const rows = await queries.query(
    `SELECT 1 AS one FROM webhook_deliveries d JOIN webhooks w ON w.webhook_id = d.webhook_id
     WHERE d.agent_id = $1 AND d.event_id = $2 AND d.state = 'waiting' AND w.disabled_reason IS NULL LIMIT 1`,
    [agentId, eventId],
  );
  return rows.length > 0;
}

/** Deliveries of a webhook, the newest first, before a `seq`; of one state, or of all. */
export async function listDeliveries(
  queries: Queries,
  webhookId: string,
  page: { state: DeliveryState | undefined; before: number | undefined; limit: number },
): Promise<WebhookDelivery[]> {
  const values: StoredValue[] = [webhookId, page.before ?? Number.MAX_SAFE_INTEGER, page.limit];
  if (page.state !== undefined) values.push(page.state);
  return deliveriesOf(
    await queries.query(
      `SELECT * FROM webhook_deliveries WHERE webhook_id = $1 AND seq < $2
       ${page.state === undefined ? '' : 'AND state = $4'} ORDER BY seq DESC LIMIT CAST($3 AS BIGINT)`,
      values,
    ),
  );
}

/** The current state of a delivery: by its whole key, however many others the webhook has. */
export async function currentDelivery(
  queries: Queries,
  { agentId, webhookId, eventId }: WebhookDelivery,
): Promise<WebhookDelivery | undefined> {
  return deliveriesOf(
    await queries.query(
      'SELECT * FROM webhook_deliveries WHERE agent_id = $1 AND webhook_id = $2 AND event_id = $3',
      [agentId, webhookId, eventId],
    ),
  )[0];
}

/** For an operator, who names no agent: looks through what the webhook has. */
export async function findDelivery(
  queries: Queries,
  webhookId: string,
  eventId: string,
): Promise<WebhookDelivery | undefined> {
  return deliveriesOf(
    await queries.query('SELECT * FROM webhook_deliveries WHERE webhook_id = $1 AND event_id = $2', [
      webhookId,
      eventId,
    ]),
  )[0];
}

/** Has a delivery sent again, whatever became of it: as if its event had just happened. */
export async function replayDelivery(
  transaction: Transaction,
  { agentId, webhookId, eventId, lane }: WebhookDelivery,
  now: number,
): Promise<void> {
  await transaction.lock(agentId);
  await transaction.query(
    `UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, created_at = $4, next_at = $4
     WHERE agent_id = $1 AND webhook_id = $2 AND event_id = $3 AND state <> 'waiting'`,
    [agentId, webhookId, eventId, now],
  );
  // One that waits for a retry is sent now.
  await transaction.query(
    `UPDATE webhook_deliveries SET next_at = $4
     WHERE agent_id = $1 AND webhook_id = $2 AND event_id = $3 AND state = 'waiting'`,
    [agentId, webhookId, eventId, now],
  );
  void openLanes(transaction, { agentId, eventId }, now);
  // An earlier event that waits for a retry goes first, now.
  await transaction.query(
    'UPDATE webhook_lanes SET due_at = $4 WHERE agent_id = $1 AND webhook_id = $2 AND lane = $3 AND due_at > $4',
    [agentId, webhookId, lane, now],
  );
}

/** Sets aside at once everything that waits for a webhook. */
export async function setAsideAll(transaction: Transaction, webhookId: string): Promise<void> {
  await transaction.query(
    `UPDATE webhook_deliveries SET state = 'set_aside', next_at = NULL WHERE webhook_id = $1 AND state = 'waiting'`,
    [webhookId],
  );
}

/** Sets aside what has waited for a disabled webhook since before that time. */
export async function setAsideOfDisabled(transaction: Transaction, createdBefore: number): Promise<void> {
  await transaction.query(
    `UPDATE webhook_deliveries SET state = 'set_aside', next_at = NULL
     WHERE state = 'waiting' AND created_at < $1
       AND webhook_id IN (SELECT webhook_id FROM webhooks WHERE disabled_reason IS NOT NULL)`,
    [createdBefore],
  );
}

/** Forgets some deliveries that were taken or set aside before that time. True: there may be more of them. */
export function forgetDeliveries(transaction: Transaction, settledBefore: number): Promise<boolean> {
  return forgetSome(transaction, {
    table: 'webhook_deliveries',
    key: ['agent_id', 'webhook_id', 'event_id'],
    where: `state <> 'waiting' AND coalesce(last_at, created_at) < $1`,
    values: [settledBefore],
  });
}
