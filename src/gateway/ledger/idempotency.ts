import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { jsonColumn, readRows } from './readRows.js';

/** How long a key is remembered. */
export const IDEMPOTENCY_MS = 24 * 3_600_000;

export const idempotencyTables = (): readonly string[] => [
  `CREATE TABLE idempotency_keys (
    agent_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    answer TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, key_id, idempotency_key)
  )`,
  'CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at)',
];

/** A request that its caller may repeat. `keyId` is that of the API key; `requestHash` says what was asked (`requestHash`). */
interface RepeatableRequest {
  readonly agentId: string;
  readonly keyId: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  /** Unix ms. */
  readonly now: number;
}

/** `reused`: the key was used for another request within the last day. */
type OnceResult<T> = { kind: 'done'; answer: T; isRepeat: boolean } | { kind: 'reused' };

const rowSchema = z.object({ request_hash: z.string(), answer: jsonColumn(z.unknown()) });

/**
 * Has `effect` done once for an idempotency key, in this transaction: a repeat gets the answer of the first time, in the form of
 * `answerSchema`. One that comes at the same time, on any replica, waits for the end of this transaction.
 */
export async function once<T>(
  transaction: Transaction,
  request: RepeatableRequest,
  answerSchema: z.ZodType<T>,
  effect: () => Promise<T>,
): Promise<OnceResult<T>> {
  const { agentId, keyId, idempotencyKey, requestHash, now } = request;
  const name = [agentId, keyId, idempotencyKey];
  // A key that has run out is taken like a new one.
  const taken = await transaction.query(
    `INSERT INTO idempotency_keys (agent_id, key_id, idempotency_key, request_hash, created_at)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (agent_id, key_id, idempotency_key)
     DO UPDATE SET request_hash = excluded.request_hash, created_at = excluded.created_at, answer = NULL
     WHERE idempotency_keys.created_at <= $6
     RETURNING agent_id`,
    [...name, requestHash, now, now - IDEMPOTENCY_MS],
  );
  if (taken.length > 0) {
    const answer = await effect();
    void transaction.query(
      'UPDATE idempotency_keys SET answer = $4 WHERE agent_id = $1 AND key_id = $2 AND idempotency_key = $3',
      [...name, JSON.stringify(answer)],
    );
    return { kind: 'done', answer, isRepeat: false };
  }
  const [before] = readRows(
    rowSchema,
    await transaction.query(
      'SELECT request_hash, answer FROM idempotency_keys WHERE agent_id = $1 AND key_id = $2 AND idempotency_key = $3',
      name,
    ),
  );
  if (before === undefined || before.request_hash !== requestHash) return { kind: 'reused' };
  return { kind: 'done', answer: answerSchema.parse(before.answer), isRepeat: true };
}

/** Forgets some keys that have run out. True: there may be more of them. */
export function forgetIdempotencyKeys(transaction: Transaction, now: number): Promise<boolean> {
  return forgetSome(transaction, {
    table: 'idempotency_keys',
    key: ['agent_id', 'key_id', 'idempotency_key'],
    where: 'created_at <= $1',
    values: [now - IDEMPOTENCY_MS],
  });
}

/** Equal for requests that ask for the same: the order of fields makes no difference. */
export function requestHash(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder(value)))
    .digest('hex');
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, inOrder(inner)]);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
