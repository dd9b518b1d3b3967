import type { z } from 'zod';
import { isAgentKnown } from '../ledger/agentViews.js';
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
  unknownAgent,
} from './apiCall.js';

/** What was done in a transaction, and its answer. `isStored` is known by the commit; false: nothing was written. Unless given, it is. */
export interface Done<T> {
  readonly answer: T;
  readonly isStored?: Promise<boolean>;
}

/**
 * Does something for an agent (`effect` throws, or stores nothing, where there is none), in one transaction with the note that it was done
 * for this `Idempotency-Key`; a repeat gets the answer of the first time.
 */
export async function repeatable<T>(
  call: ApiCall,
  { database }: ApiContext,
  named: string | undefined,
  schema: z.ZodType<T>,
  effect: (transaction: Transaction, agentId: string) => Promise<Done<T>>,
  now: number,
): Promise<ApiReply> {
  const idempotencyKey = idempotencyKeyOf(call);
  // That there is such an agent is seen by what is done for it, under its lock.
  const agentId = await permittedAgent(database, call.key, named);
  if (idempotencyKey === undefined) {
    const { answer, isStored } = await database.transaction(async (tx) => {
      void tx.lock(agentId);
      return heard(await effect(tx, agentId));
    });
    if ((await isStored) === false) throw unknownAgent();
    return json(answer);
  }
  const request = { agentId, keyId: call.key.id, idempotencyKey, requestHash: hashOfCall(call), now };
  const result = await database.transaction(async (tx) => {
    void tx.lock(agentId);
    // In one round trip with the key, whose note is undone with everything else where there is no agent.
    const isKnown = isAgentKnown(tx, agentId);
    isKnown.catch(() => undefined);
    return once(tx, request, schema, async () => {
      if (!(await isKnown)) throw unknownAgent();
      return heard(await effect(tx, agentId)).answer;
    });
  });
  if (result.kind === 'done') {
    return json(result.answer, result.isRepeat ? { 'Idempotency-Replayed': 'true' } : {});
  }
  throw new ApiError(
    'conflict',
    'idempotency_key_reused',
    'This Idempotency-Key was used for another request within the last day.',
    { field: 'Idempotency-Key' },
  );
}

/** Where the transaction fails, it reports that, and no one waits for this. */
function heard<T>(done: Done<T>): Done<T> {
  done.isStored?.catch(() => undefined);
  return done;
}
