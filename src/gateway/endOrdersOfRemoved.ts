import { endOrdersOf, removedAgents } from './ledger/removedAgents.js';
import { oneByOne } from './oneByOne.js';
import type { GatewayDatabase } from './storage/GatewayDatabase.js';

/** Ends what was ordered from agents that were removed (`endOrdersOf`), of each on its own. Rejects as `oneByOne` does. */
export async function endOrdersOfRemoved(database: GatewayDatabase, now: number): Promise<void> {
  await oneByOne(await removedAgents(database), (agentId) => endOrdersOf(database, agentId, now));
}
