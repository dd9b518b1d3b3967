import type { Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';

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

/** Forgets some events that came before that time; agents keep theirs for 7 days. True: there may be more of them. */
export function forgetAgentEvents(transaction: Transaction, storedBefore: number): Promise<boolean> {
  const key = ['agent_id', 'event_id'];
  return forgetSome(transaction, {
    table: 'agent_events',
    key,
    where: 'stored_at < $1',
    values: [storedBefore],
  });
}
