import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { freshId } from '../../system/random.js';
import type { GatewayDatabase, Queries, StoredRow, Transaction } from '../storage/GatewayDatabase.js';
import { jsonColumn, readRows } from './readRows.js';
import type { SecretBox } from './SecretBox.js';

/** Where an application wants its events. Times are Unix ms. */
export interface WebhookEndpoint {
  readonly id: string;
  /** The API key that made it; a key sees only its own, unless it has the scope `admin`. */
  readonly keyId: string;
  readonly url: string;
  /** Types of events; `*`: all. */
  readonly events: readonly string[];
  /** null: all agents. */
  readonly agents: readonly string[] | null;
  readonly description: string | null;
  readonly disabledReason: 'request' | 'gone' | 'key_revoked' | null;
  readonly createdAt: number;
  readonly previousUntil: number | null;
}

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;
const ANY = '*';

export const webhookTables = (): readonly string[] => [
  `CREATE TABLE webhooks (
    webhook_id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    agents TEXT,
    description TEXT,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until BIGINT,
    disabled_reason TEXT,
    created_at BIGINT NOT NULL
  )`,
  // What `events` and `agents` say, in the form in which it is asked for every event.
  `CREATE TABLE webhook_subscriptions (
    webhook_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    type TEXT NOT NULL,
    PRIMARY KEY (agent_id, type, webhook_id)
  )`,
  'CREATE INDEX webhook_subscriptions_webhook ON webhook_subscriptions (webhook_id)',
];

const rowSchema = z
  .object({
    webhook_id: z.string(),
    key_id: z.string(),
    url: z.string(),
    events: jsonColumn(z.array(z.string())),
    agents: jsonColumn(z.array(z.string())).nullable(),
    description: z.string().nullable(),
    secret: z.string(),
    previous_secret: z.string().nullable(),
    previous_until: z.number().nullable(),
    disabled_reason: z.enum(['request', 'gone', 'key_revoked']).nullable(),
    created_at: z.number(),
  })
  .transform((row) => ({
    sealed: [row.secret, row.previous_secret] as const,
    endpoint: {
      id: row.webhook_id,
      keyId: row.key_id,
      url: row.url,
      events: row.events,
      agents: row.agents,
      description: row.description,
      disabledReason: row.disabled_reason,
      createdAt: row.created_at,
      previousUntil: row.previous_until,
    } satisfies WebhookEndpoint,
  }));

const sealedRow = z.object({
  webhook_id: z.string(),
  secret: z.string(),
  previous_secret: z.string().nullable(),
});

const endpointsOf = (rows: readonly StoredRow[]) => readRows(rowSchema, rows).map(({ endpoint }) => endpoint);

/** Makes an endpoint. `secret` is shown this once: it is kept sealed. */
export async function createWebhook(
  transaction: Transaction,
  box: SecretBox,
  wanted: Pick<WebhookEndpoint, 'keyId' | 'url' | 'events' | 'agents' | 'description'>,
  now: number,
): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
  const { keyId, url, events, agents, description } = wanted;
  const id = freshId('wh');
  const secret = freshSecret();
  await transaction.query(
    `INSERT INTO webhooks (webhook_id, key_id, url, events, agents, description, secret, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [id, keyId, url, JSON.stringify(events), jsonOrNull(agents), description, box.seal(secret, id), now],
  );
  await subscribe(transaction, id, events, agents);
  const endpoint = { id, ...wanted, disabledReason: null, createdAt: now, previousUntil: null };
  return { endpoint, secret };
}

/** Endpoints, the newest first: those of one key, or (null) all. */
export async function listWebhooks(queries: Queries, keyId: string | null): Promise<WebhookEndpoint[]> {
  const order = 'ORDER BY created_at DESC, webhook_id';
  return endpointsOf(
    keyId === null
      ? await queries.query(`SELECT * FROM webhooks ${order}`)
      : await queries.query(`SELECT * FROM webhooks WHERE key_id = $1 ${order}`, [keyId]),
  );
}

export async function findWebhook(queries: Queries, id: string): Promise<WebhookEndpoint | undefined> {
  return endpointsOf(await queries.query('SELECT * FROM webhooks WHERE webhook_id = $1', [id]))[0];
}

/** The same, for an update: locked until the end of the transaction. */
export async function findWebhookToChange(
  transaction: Transaction,
  id: string,
): Promise<WebhookEndpoint | undefined> {
  const lock = transaction.dialect === 'postgres' ? 'FOR UPDATE' : '';
  return endpointsOf(
    await transaction.query(`SELECT * FROM webhooks WHERE webhook_id = $1 ${lock}`, [id]),
  )[0];
}

/** An endpoint with the secrets that it is signed with now: the newest first, and for a while the one before. */
export async function webhookWithSecrets(
  queries: Queries,
  box: SecretBox,
  id: string,
  now: number,
): Promise<{ endpoint: WebhookEndpoint; secrets: readonly string[] } | undefined> {
  const [found] = readRows(
    rowSchema,
    await queries.query('SELECT * FROM webhooks WHERE webhook_id = $1', [id]),
  );
  if (found === undefined) return undefined;
  const [secret, previous] = found.sealed;
  const isRotating = previous !== null && (found.endpoint.previousUntil ?? 0) > now;
  const secrets = isRotating ? [secret, previous] : [secret];
  return { endpoint: found.endpoint, secrets: secrets.map((sealed) => box.open(sealed, id)) };
}

/** Seals each secret under the key that the box seals with now; gives how many were not. */
export async function resealWebhooks(database: GatewayDatabase, box: SecretBox): Promise<number> {
  let count = 0;
  const rows = readRows(
    sealedRow,
    await database.query('SELECT webhook_id, secret, previous_secret FROM webhooks ORDER BY webhook_id'),
  );
  for (const { webhook_id: id, secret, previous_secret } of rows) {
    const again = box.resealed(secret, id);
    const previous = previous_secret === null ? undefined : box.resealed(previous_secret, id);
    if (again === undefined && previous === undefined) continue;
    count += 1;
    await database.transaction((transaction) =>
      transaction.query(
        // Only as it was read: it may be rotated meanwhile.
        `UPDATE webhooks SET secret = $2, previous_secret = $3
         WHERE webhook_id = $1 AND secret = $4 AND coalesce(previous_secret, '') = $5`,
        [id, again ?? secret, previous ?? previous_secret, secret, previous_secret ?? ''],
      ),
    );
  }
  return count;
}

/** Writes what is changed of `findWebhookToChange`, subscriptions and all. */
export async function changeWebhook(transaction: Transaction, endpoint: WebhookEndpoint): Promise<void> {
  const { id, url, events, agents, description, disabledReason } = endpoint;
  await transaction.query(
    `UPDATE webhooks SET url = $2, events = $3, agents = $4, description = $5, disabled_reason = $6
     WHERE webhook_id = $1`,
    [id, url, JSON.stringify(events), jsonOrNull(agents), description, disabledReason],
  );
  await transaction.query('DELETE FROM webhook_subscriptions WHERE webhook_id = $1', [id]);
  await subscribe(transaction, id, events, agents);
}

/** Disables an endpoint that said that it is gone. False: it has another URL by now, or is none. */
export async function disableGone(transaction: Transaction, { id, url }: WebhookEndpoint): Promise<boolean> {
  const disabled = await transaction.query(
    "UPDATE webhooks SET disabled_reason = 'gone' WHERE webhook_id = $1 AND url = $2 RETURNING webhook_id",
    [id, url],
  );
  return disabled.length > 0;
}

/** Makes a new secret. The one before signs too for `overlapMs`. */
export async function rotateWebhookSecret(
  transaction: Transaction,
  box: SecretBox,
  id: string,
  overlapMs: number,
  now: number,
): Promise<string> {
  const secret = freshSecret();
  await transaction.query(
    'UPDATE webhooks SET previous_secret = secret, previous_until = $3, secret = $2 WHERE webhook_id = $1',
    [id, box.seal(secret, id), now + overlapMs],
  );
  return secret;
}

/** Removes an endpoint and what waits for it. */
export async function deleteWebhook(transaction: Transaction, id: string): Promise<void> {
  for (const table of ['webhooks', 'webhook_subscriptions', 'webhook_lanes', 'webhook_deliveries']) {
    await transaction.query(`DELETE FROM ${table} WHERE webhook_id = $1`, [id]);
  }
}

async function subscribe(
  transaction: Transaction,
  id: string,
  events: readonly string[],
  agents: readonly string[] | null,
): Promise<void> {
  for (const agent of new Set(agents ?? [ANY])) {
    for (const type of new Set(events)) {
      await transaction.query(
        'INSERT INTO webhook_subscriptions (webhook_id, agent_id, type) VALUES ($1, $2, $3)',
        [id, agent, type],
      );
    }
  }
}

/** `whsec_` and base64, as Standard Webhooks has it. */
function freshSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

function jsonOrNull(list: readonly string[] | null): string | null {
  return list === null ? null : JSON.stringify(list);
}
