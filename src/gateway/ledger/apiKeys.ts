import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { type Scope, scopeSchema } from '../../model/gatewayApi.js';
import { freshId } from '../../system/random.js';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { jsonColumn, readRows } from './readRows.js';

/** A key of an application. `agents` null: all agents. Times are Unix ms. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly agents: readonly string[] | null;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

const PREFIX = 'eg_live_';
const KEY_BYTES = 32;
/** `last_used_at` is for people: it is not written more often. */
const TOUCH_MS = 60_000;

export const apiKeyTables = (): readonly string[] => [
  `CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    agents TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
  )`,
];

const rowSchema = z
  .object({
    key_id: z.string(),
    hash: z.string(),
    name: z.string(),
    scopes: jsonColumn(z.array(scopeSchema)),
    agents: jsonColumn(z.array(z.string())).nullable(),
    created_at: z.number(),
    last_used_at: z.number().nullable(),
    revoked_at: z.number().nullable(),
  })
  .transform((row) => ({
    hash: row.hash,
    key: {
      id: row.key_id,
      name: row.name,
      scopes: row.scopes,
      agents: row.agents,
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      revokedAt: row.revoked_at,
    } satisfies ApiKey,
  }));

/** Makes a key of 256 random bits. `secret` is shown this once: the database has its SHA-256 alone, which is no key. */
export async function createApiKey(
  transaction: Transaction,
  wanted: { name: string; scopes: readonly Scope[]; agents: readonly string[] | null },
  now: number,
): Promise<{ key: ApiKey; secret: string }> {
  const secret = PREFIX + randomBytes(KEY_BYTES).toString('base64url');
  const key: ApiKey = { id: freshId('key'), ...wanted, createdAt: now, lastUsedAt: null, revokedAt: null };
  await transaction.query(
    `INSERT INTO api_keys (key_id, hash, name, scopes, agents, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      key.id,
      hashOf(secret),
      key.name,
      JSON.stringify(key.scopes),
      key.agents === null ? null : JSON.stringify(key.agents),
      now,
    ],
  );
  return { key, secret };
}

/** The key that this secret is; undefined for none, and for one that was revoked. Takes the same time for any wrong secret. */
export async function findApiKey(queries: Queries, secret: string): Promise<ApiKey | undefined> {
  const hash = hashOf(secret);
  const [found] = readRows(rowSchema, await queries.query('SELECT * FROM api_keys WHERE hash = $1', [hash]));
  if (found === undefined || !timingSafeEqual(Buffer.from(found.hash), Buffer.from(hash))) return undefined;
  return found.key.revokedAt === null ? found.key : undefined;
}

/**
 * Whether a key counts, to the end of the transaction: who revokes it meanwhile waits for that, and then sees what was written. To be
 * called before anything else is read or written.
 */
export async function keyCounts(transaction: Transaction, id: string): Promise<boolean> {
  const lock = transaction.dialect === 'postgres' ? 'FOR SHARE' : '';
  const valid = `SELECT key_id FROM api_keys WHERE key_id = $1 AND revoked_at IS NULL ${lock}`;
  return (await transaction.query(valid, [id])).length > 0;
}

/** Every key, the newest first. */
export async function listApiKeys(queries: Queries): Promise<ApiKey[]> {
  const rows = await queries.query('SELECT * FROM api_keys ORDER BY created_at DESC, key_id');
  return readRows(rowSchema, rows).map(({ key }) => key);
}

/** Whether there was such a key that counted. It counts no more from now on, and its webhooks get nothing more. */
export async function revokeApiKey(transaction: Transaction, id: string, now: number): Promise<boolean> {
  const rows = await transaction.query(
    'UPDATE api_keys SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL RETURNING key_id',
    [id, now],
  );
  await transaction.query("UPDATE webhooks SET disabled_reason = 'key_revoked' WHERE key_id = $1", [id]);
  return rows.length > 0;
}

/** Whether it is time to write that a key was used. */
export function isUseDue(key: ApiKey, now: number): boolean {
  return key.lastUsedAt === null || now - key.lastUsedAt >= TOUCH_MS;
}

export async function touchApiKey(transaction: Transaction, id: string, now: number): Promise<void> {
  await transaction.query('UPDATE api_keys SET last_used_at = $2 WHERE key_id = $1', [id, now]);
}

/** Whether a key has a scope; `admin` includes all. */
export function hasScope(key: ApiKey, scope: Scope): boolean {
  return key.scopes.includes('admin') || key.scopes.includes(scope);
}

/** Whether a key may see and use an agent. */
export function mayUseAgent(key: ApiKey, agentId: string): boolean {
  return key.agents === null || key.agents.includes(agentId);
}

/** As which the database has a secret. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
