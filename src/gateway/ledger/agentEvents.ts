import type { Transaction } from '../storage/GatewayDatabase.js';

/** The ids of the events that agents reported: agents report at least once. */
export const agentEventTables = (): readonly string[] => [
  `CREATE TABLE agent_events (
    agent_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    stored_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, event_id)
  )`,
  'CREATE INDEX agent_events_stored ON agent_events (stored_at)',
];

/** Notes an event. False: it came before. */
export async function takeEvent(
  transaction: Transaction,
  agentId: string,
  eventId: string,
  now: number,
): Promise<boolean> {
  const added = await transaction.query(
    `INSERT INTO agent_events (agent_id, event_id, stored_at) VALUES ($1, $2, $3)
     ON CONFLICT (agent_id, event_id) DO NOTHING RETURNING event_id`,
    [agentId, eventId, now],
  );
  return added.length > 0;
}

/** Forgets events that came before that time; agents keep theirs for 7 days. */
export async function forgetAgentEvents(transaction: Transaction, storedBefore: number): Promise<void> {
  await transaction.query('DELETE FROM agent_events WHERE stored_at < $1', [storedBefore]);
}
