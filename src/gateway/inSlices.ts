import type { Clock } from '../system/clock.js';
import type { GatewayDatabase, Transaction } from './storage/GatewayDatabase.js';

/**
 * So long one transaction takes one thing after the other, in ms, and another one those that are left. Where the database is slow, all of
 * thousands in one would never be over in time, however often they came again.
 */
const SLICE_MS = 1_000;

/**
 * Passes each of these items of an agent to `take`, in order, under the lock `key`, in as few transactions as their
 * time allows.
 */
export async function inSlices<T>(
  { database, clock }: { database: GatewayDatabase; clock: Clock },
  key: string,
  things: readonly T[],
  take: (transaction: Transaction, thing: T) => Promise<void>,
): Promise<void> {
  let taken = 0;
  while (taken < things.length) {
    taken += await database.transaction(async (transaction) => {
      const locked = transaction.lock(key);
      // One alone goes with its lock.
      if (things.length > 1) await locked;
      const end = clock.monotonic() + SLICE_MS;
      let count = 0;
      for (const thing of things.slice(taken)) {
        await take(transaction, thing);
        count += 1;
        if (clock.monotonic() >= end) break;
      }
      return count;
    }, 'soon');
  }
}
