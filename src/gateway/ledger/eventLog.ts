import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { EventData, GatewayEvent, GatewayEventType } from '../../model/gatewayEvents.js';
import type { Dialect, Queries, StoredValue, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { readRows } from './readRows.js';
import { enqueueDeliveries, enqueueDelivery, LAY_DOWN_STORED } from './webhookDeliveries.js';

const seqRow = z.object({ seq: z.number() });
const xidSeqRow = z.object({ xid: z.number(), seq: z.number() });

/**
 * Every event for applications, once, in the order in which they were committed. In PostgreSQL a transaction that began early may
 * commit late: rows carry the number of their transaction (`xid`), and a reader takes only those below the oldest one that still runs.
 * So a cursor never passes an event that it has not given. In SQLite there is one writer, and `seq` is that order.
 */
export const eventLogTables = (dialect: Dialect): readonly string[] => [
  dialect === 'postgres'
    ? `CREATE TABLE event_log (
        agent_id TEXT NOT NULL,
        seq BIGINT GENERATED ALWAYS AS IDENTITY,
        xid BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        stored_at BIGINT NOT NULL,
        PRIMARY KEY (agent_id, event_id)
      )`
    : `CREATE TABLE event_log (
        agent_id TEXT NOT NULL,
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        xid BIGINT NOT NULL DEFAULT 0,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        stored_at BIGINT NOT NULL,
        UNIQUE (agent_id, event_id)
      )`,
  'CREATE INDEX event_log_order ON event_log (xid, seq)',
  'CREATE INDEX event_log_stored ON event_log (stored_at)',
];

/** Below this number of a transaction every transaction has ended. */
const HORIZON: Readonly<Record<Dialect, string>> = {
  postgres: 'pg_snapshot_xmin(pg_current_snapshot())::text::bigint',
  sqlite: '1',
};

/** Where a reader is in the log. */
export interface EventCursor {
  readonly xid: number;
  readonly seq: number;
}

/** An event before it has its place. */
export interface NewGatewayEvent<T extends GatewayEventType = GatewayEventType> {
  /** Made of its cause (`eventId`), so that the same one is never published twice. */
  readonly id: string;
  readonly type: T;
  /** '' for what belongs to no agent. */
  readonly agentId: string;
  /** What webhooks keep in order; null: everything else of the agent is one such lane. */
  readonly conversation: string | null;
  readonly data: EventData[T];
  /** When it happened, Unix ms. */
  readonly at: number;
}

/** An event as it is kept: `body` is the JSON that applications get, to the byte. */
export interface LoggedEvent {
  readonly cursor: EventCursor;
  readonly type: string;
  readonly body: string;
}

/** The id of the event with this cause: equal for equal parts. */
export function eventId(...cause: readonly (string | number)[]): string {
  return `evt_${createHash('sha256').update(JSON.stringify(cause)).digest('hex').slice(0, 32)}`;
}

/**
 * Stores an event and its deliveries to webhooks, in the transaction of what it reports; nothing if the event was there before. Takes the
 * lock of the agent, so that the events of one agent have one order; a transaction that publishes takes it first (`Transaction.lock`).
 */
export async function publish<T extends GatewayEventType>(
  transaction: Transaction,
  event: NewGatewayEvent<T>,
  now: number,
): Promise<void> {
  const { id, type, agentId } = event;
  const lane = event.conversation ?? '';
  if (transaction.dialect === 'postgres') {
    // One statement, whose result only `ringAfterCommit` needs.
    void transaction.lock(agentId);
    const opened = transaction.query(PUBLISH, [agentId, id, type, lane, now, bodyOf(event)]);
    noteLanes(
      transaction,
      opened.then((lanes) => lanes.length > 0),
    );
    return;
  }
  const seq = await append(transaction, event, now);
  if (seq === undefined) return;
  const opened = enqueueDeliveries(transaction, { agentId, eventId: id, type, seq, lane }, now);
  noteLanes(transaction, opened);
  await opened;
}

/** Of each transaction that published: whether each of its events opened a lane. */
const lanesOf = new WeakMap<Transaction, Promise<boolean>[]>();

function noteLanes(transaction: Transaction, opened: Promise<boolean>): void {
  // Where the statement failed, the transaction fails with it.
  const known = opened.catch(() => true);
  const before = lanesOf.get(transaction);
  if (before === undefined) lanesOf.set(transaction, [known]);
  else before.push(known);
}

/**
 * Has `ring` called once a transaction is durable that may publish: with whether a webhook has something to do that it had not before. Where
 * no webhook wants these events, or earlier ones of their conversations are on their way, nothing has to be looked for.
 */
export function ringAfterCommit(transaction: Transaction, ring: (isForWebhooks: boolean) => void): void {
  transaction.afterCommit(() => {
    void Promise.all(lanesOf.get(transaction) ?? []).then((opened) => ring(opened.includes(true)));
  });
}

/** SQLite writes in no WITH, but has no round trips to save either. */
const PUBLISH = `WITH stored AS (
    INSERT INTO event_log (agent_id, event_id, type, body, stored_at) VALUES ($1, $2, $3, $6, $5)
    ON CONFLICT (agent_id, event_id) DO NOTHING RETURNING seq
  ), ${LAY_DOWN_STORED}`;

/** Stores a test event for one webhook; it is in no stream. */
export async function publishTest(
  transaction: Transaction,
  webhookId: string,
  id: string,
  now: number,
): Promise<void> {
  const data = { message: 'A test of this webhook.' };
  const event = { id, type: 'webhook.test', agentId: '', conversation: null, data, at: now } as const;
  const seq = (await append(transaction, event, now)) ?? 0;
  const delivery = { agentId: '', eventId: id, type: event.type, seq, lane: webhookId };
  enqueueDelivery(transaction, webhookId, delivery, now);
}

/** Undefined: it was there before. */
async function append<T extends GatewayEventType>(
  transaction: Transaction,
  event: NewGatewayEvent<T>,
  now: number,
): Promise<number | undefined> {
  const { id, type, agentId } = event;
  void transaction.lock(agentId);
  const stored = await transaction.query(
    `INSERT INTO event_log (agent_id, event_id, type, body, stored_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (agent_id, event_id) DO NOTHING RETURNING seq`,
    [agentId, id, type, bodyOf(event), now],
  );
  return readRows(seqRow, stored)[0]?.seq;
}

/** An event as applications get it. */
function bodyOf<T extends GatewayEventType>({ id, type, agentId, data, at }: NewGatewayEvent<T>): string {
  const timestamp = new Date(at).toISOString();
  const body: GatewayEvent<T> = { id, type, timestamp, agent: agentId === '' ? null : agentId, data };
  return JSON.stringify(body);
}

const loggedSchema = z
  .object({ xid: z.number(), seq: z.number(), type: z.string(), body: z.string() })
  .transform(({ xid, seq, type, body }): LoggedEvent => ({ cursor: { xid, seq }, type, body }));

/** The next events after a cursor, oldest first: of these agents (null: of all), of these types (null: of all). */
export async function eventsAfter(
  queries: Queries,
  cursor: EventCursor,
  wanted: { agents: readonly string[] | null; types: readonly string[] | null },
  limit: number,
): Promise<LoggedEvent[]> {
  const values: StoredValue[] = [cursor.xid, cursor.seq, limit];
  const among = (column: string, names: readonly string[] | null) => {
    if (names === null) return '';
    const first = values.length + 1;
    values.push(...names);
    return ` AND ${column} IN (${names.map((_, index) => `$${first + index}`).join(', ')})`;
  };
  const horizon = HORIZON[queries.dialect];
  // A database that was restored into a new server restarts its transaction numbers: then only `seq` shows what the
  // cursor has passed.
  const rows = await queries.query(
    `SELECT xid, seq, type, body FROM event_log
     WHERE xid < ${horizon} AND agent_id <> ''
       AND ((CAST($1 AS BIGINT) < ${horizon} AND (xid, seq) > (CAST($1 AS BIGINT), CAST($2 AS BIGINT)))
         OR (CAST($1 AS BIGINT) >= ${horizon} AND seq > CAST($2 AS BIGINT)))
       ${among('agent_id', wanted.agents)}${among('type', wanted.types)}
     ORDER BY xid, seq LIMIT CAST($3 AS BIGINT)`,
    values,
  );
  return readRows(loggedSchema, rows);
}

/** The cursor behind everything that can be read now. */
export async function newestCursor(queries: Queries): Promise<EventCursor> {
  const rows = await queries.query(
    `SELECT xid, seq FROM event_log WHERE xid < ${HORIZON[queries.dialect]} ORDER BY xid DESC, seq DESC LIMIT 1`,
  );
  const [newest] = readRows(xidSeqRow, rows);
  return newest ?? { xid: 0, seq: 0 };
}

/**
 * Makes events readable that were restored from another PostgreSQL server with higher transaction numbers: they come
 * first, in order. To be called before the first reader.
 */
export async function adoptRestoredEvents(transaction: Transaction): Promise<void> {
  if (transaction.dialect === 'sqlite') return;
  await transaction.query(
    'UPDATE event_log SET xid = 0 WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint',
  );
}

/**
 * Forgets some events stored before that time, but for those with a delivery that is kept: it may be replayed, and one without its event
 * would hold up its lane. True: there may be more of them.
 */
export function forgetEvents(transaction: Transaction, storedBefore: number): Promise<boolean> {
  const where = `stored_at < $1 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d
    WHERE d.agent_id = event_log.agent_id AND d.event_id = event_log.event_id)`;
  return forgetSome(transaction, {
    table: 'event_log',
    key: ['agent_id', 'event_id'],
    where,
    values: [storedBefore],
  });
}

/** A cursor as applications get it: opaque, good for `Last-Event-ID`. */
export function encodeCursor({ xid, seq }: EventCursor): string {
  return Buffer.from(`${xid}.${seq}`).toString('base64url');
}

/** Undefined: it is none of ours. */
export function decodeCursor(text: string): EventCursor | undefined {
  const found = /^(\d{1,16})\.(\d{1,16})$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (found === null) return undefined;
  const cursor = { xid: Number(found[1]), seq: Number(found[2]) };
  return Number.isSafeInteger(cursor.xid) && Number.isSafeInteger(cursor.seq) ? cursor : undefined;
}
