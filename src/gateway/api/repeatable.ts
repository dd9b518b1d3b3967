import type { z } from 'zod';
import { once } from '../ledger/idempotency.js';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { ApiError } from './ApiError.js';
import {
  type ApiCall,
  type ApiContext,
  type ApiReply,
  hashOfCall,
  idempotencyKeyOf,
  json,
  permittedAgent,
} from './apiCall.js';

/**
 * Does something for an agent (`effect` throws where there is none), in one transaction with the note that it was done for this `Idempotency-Key`; a repeat gets the answer of
 * the first time.
 */
export async function repeatable<T>(
  call: ApiCall,
  { database }: ApiContext,
  named: string | undefined,
  schema: z.ZodType<T>,
  effect: (transaction: Transaction, agentId: string) => Promise<T>,
  now: number,
): Promise<ApiReply> {
  const idempotencyKey = idempotencyKeyOf(call);
  // That there is such an agent is seen by what is done for it, under its lock.
  const agentId = await permittedAgent(database, call.key, named);
  return database.transaction(async (tx) => {
    void tx.lock(agentId);
    if (idempotencyKey === undefined) return json(await effect(tx, agentId));
    const request = { agentId, keyId: call.key.id, idempotencyKey, requestHash: hashOfCall(call), now };
    const result = await once(tx, request, schema, () => effect(tx, agentId));
    if (result.kind === 'done') {
      return json(result.answer, result.isRepeat ? { 'Idempotency-Replayed': 'true' } : {});
    }
    throw new ApiError(
      'conflict',
      'idempotency_key_reused',
      'This Idempotency-Key was used for another request within the last day.',
      { field: 'Idempotency-Key' },
    );
  });
}
