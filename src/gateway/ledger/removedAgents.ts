import { z } from 'zod';
import type { GatewayDatabase, Queries, Transaction } from '../storage/GatewayDatabase.js';
import { endOrder, endText, orderRow } from './endOrder.js';
import type { MessageEvidence } from './messageStatus.js';
import { readRows } from './readRows.js';

/** So many commands end in one transaction. */
const ENDED_AT_ONCE = 100;

const removedRow = z.object({ agent_id: z.string(), removed_at: z.number(), was_reached: z.number() });
type RemovedAgent = z.infer<typeof removedRow>;
const messageIdRow = z.object({ message_id: z.string() });

const REMOVED = 'agent_removed: the agent was removed before it said what became of the command';

/** Agents that were removed and whose texts have not ended yet. `was_reached`: it may have been given commands. */
export const removedAgentTables = (): readonly string[] => [
  `CREATE TABLE removed_agents (
    agent_id TEXT PRIMARY KEY,
    removed_at BIGINT NOT NULL,
    was_reached BIGINT NOT NULL
  )`,
];

/** Notes that an agent is removed, before it is. Within the lock of the agent. */
export function noteRemoval(transaction: Transaction, agentId: string, now: number): void {
  const seen = [
    ['agents', '(registered_at IS NOT NULL OR handed_out_at IS NOT NULL)'],
    ['connections', '1 = 1'],
    ['agent_statuses', '1 = 1'],
    ['inbox', '1 = 1'],
    ['agent_events', '1 = 1'],
    ['commands', 'ack IS NOT NULL'],
  ].map(([table, where]) => `EXISTS (SELECT 1 FROM ${table} WHERE agent_id = $1 AND ${where})`);
  void transaction.query(
    `INSERT INTO removed_agents (agent_id, removed_at, was_reached)
     SELECT agent_id, CAST($2 AS BIGINT), CASE WHEN ${seen.join(' OR ')} THEN 1 ELSE 0 END FROM agents WHERE agent_id = $1
     ON CONFLICT (agent_id) DO NOTHING`,
    [agentId, now],
  );
}

/** The agents that were removed and have orders that are to be ended. */
export async function removedAgents(queries: Queries): Promise<string[]> {
  const rows = readRows(removedRow, await queries.query('SELECT * FROM removed_agents'));
  return rows.map(({ agent_id }) => agent_id);
}

/**
 * Ends the commands of a removed agent: an event reports each text and command, and none is offered to an agent that is
 * added again under the same id. Rejects like the database; the rest is ended by the next call.
 */
export async function endOrdersOf(database: GatewayDatabase, agentId: string, now: number): Promise<void> {
  let hasMore = true;
  while (hasMore) hasMore = await database.transaction((tx) => endSomeOrders(tx, agentId, now));
}

/** The same for one agent, in the transaction that adds it again. Within the lock of the agent. */
export async function endOrders(transaction: Transaction, agentId: string, now: number): Promise<void> {
  let hasMore = true;
  while (hasMore) hasMore = await endSomeOrders(transaction, agentId, now);
}

/** Takes the lock of the agent. False: nothing is left. */
async function endSomeOrders(transaction: Transaction, agentId: string, now: number): Promise<boolean> {
  void transaction.lock(agentId);
  const found = await transaction.query('SELECT * FROM removed_agents WHERE agent_id = $1', [agentId]);
  const [removed] = readRows(removedRow, found);
  if (removed === undefined) return false;
  const unacked = await transaction.query(
    `SELECT position, command_id, command FROM commands
     WHERE agent_id = $1 AND acked_at IS NULL ORDER BY position LIMIT CAST($2 AS BIGINT)`,
    [agentId, ENDED_AT_ONCE],
  );
  const evidence = evidenceOf(removed);
  const end = { evidence, error: REMOVED, id: 'removed', at: removed.removed_at };
  for (const left of readRows(orderRow, unacked)) await endOrder(transaction, agentId, left, end, now);
  if (unacked.length > 0) return true;
  // Scheduled ones, which the agent had taken.
  const texts = await transaction.query(
    `SELECT message_id FROM messages WHERE agent_id = $1 AND status IN ('queued', 'accepted') LIMIT CAST($2 AS BIGINT)`,
    [agentId, ENDED_AT_ONCE],
  );
  for (const { message_id } of readRows(messageIdRow, texts))
    await endText(transaction, agentId, message_id, evidence, now);
  if (texts.length > 0) return true;
  void transaction.query('DELETE FROM removed_agents WHERE agent_id = $1', [agentId]);
  return false;
}

const evidenceOf = ({ removed_at, was_reached }: RemovedAgent): MessageEvidence => ({
  kind: 'removal',
  at: removed_at,
  wasReached: was_reached === 1,
});
