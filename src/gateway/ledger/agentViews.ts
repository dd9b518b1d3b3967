import { z } from 'zod';
import type { AgentResource } from '../../model/gatewayApi.js';
import type { Queries, StoredValue } from '../storage/GatewayDatabase.js';
import { jsonColumn, readRows } from './readRows.js';

/** A place in the list of agents: behind this one. */
interface AgentPlace {
  readonly createdAt: number;
  readonly id: string;
}

/** Whether there is such an agent. */
export async function isAgentKnown(queries: Queries, agentId: string): Promise<boolean> {
  return (await queries.query('SELECT agent_id FROM agents WHERE agent_id = $1', [agentId])).length > 0;
}

/** An agent as applications see it. `now` is Unix ms. */
export async function agentView(
  queries: Queries,
  agentId: string,
  now: number,
): Promise<AgentResource | undefined> {
  const rows = await queries.query(`${select(queries)} WHERE a.agent_id = $1`, [agentId]);
  return readRows(rowSchema, rows).map((row) => viewOf(row, now))[0];
}

/** Agents in the order in which they were added, behind a place: those that are named, or (null) all. */
export async function agentViews(
  queries: Queries,
  page: { agents: readonly string[] | null; after: AgentPlace | undefined; limit: number },
  now: number,
): Promise<{ place: AgentPlace; agent: AgentResource }[]> {
  const values: StoredValue[] = [page.after?.createdAt ?? -1, page.after?.id ?? '', page.limit];
  const names = (page.agents ?? []).map((_, index) => `$${values.length + index + 1}`);
  values.push(...(page.agents ?? []));
  const among = page.agents === null ? '' : `AND a.agent_id IN (${names.join(', ')})`;
  const rows = await queries.query(
    `${select(queries)} WHERE (a.created_at > $1 OR (a.created_at = $1 AND a.agent_id > $2)) ${among}
     ORDER BY a.created_at, a.agent_id LIMIT CAST($3 AS BIGINT)`,
    values,
  );
  return readRows(rowSchema, rows).map((row) => ({
    place: { createdAt: row.created_at, id: row.agent_id },
    agent: viewOf(row, now),
  }));
}

/** Ids of agents, two at most: whether there is one alone. */
export async function firstAgents(queries: Queries): Promise<string[]> {
  const rows = await queries.query('SELECT agent_id FROM agents ORDER BY created_at LIMIT 2');
  return readRows(z.object({ agent_id: z.string() }), rows).map(({ agent_id }) => agent_id);
}

const select = ({
  nowMs,
}: Queries) => `SELECT a.agent_id AS agent_id, a.created_at AS created_at, a.registration AS registration,
    a.registered_at AS registered_at, s.status AS status, s.at AS status_at, c.since AS since, c.ended_at AS ended_at,
    CASE WHEN r.lease_until > ${nowMs} THEN 1 ELSE 0 END AS is_online,
    (SELECT count(*) FROM commands q WHERE q.agent_id = a.agent_id AND q.acked_at IS NULL) AS pending,
    (SELECT max(m.at) FROM conversation_messages m WHERE m.agent_id = a.agent_id) AS last_message,
    (SELECT min(q.made_at) FROM commands q WHERE q.agent_id = a.agent_id AND q.acked_at IS NULL) AS oldest
  FROM agents a LEFT JOIN agent_statuses s ON s.agent_id = a.agent_id
  LEFT JOIN connections c ON c.agent_id = a.agent_id LEFT JOIN replicas r ON r.replica_id = c.replica_id`;

const time = z.number().nullable();
const rowSchema = z.object({
  agent_id: z.string(),
  created_at: z.number(),
  registration: jsonColumn(z.looseObject({ version: z.string().nullish().catch(null) })).nullable(),
  registered_at: time,
  status: jsonColumn(
    z.looseObject({
      version: z.string().nullish().catch(null),
      state: z.string().nullish().catch(null),
      problems: z
        .array(z.looseObject({ code: z.string() }))
        .catch([])
        .default([]),
    }),
  ).nullable(),
  status_at: time,
  since: time,
  ended_at: time,
  is_online: z.number(),
  pending: z.number(),
  last_message: time,
  oldest: time,
});

function viewOf(row: z.infer<typeof rowSchema>, now: number): AgentResource {
  const isOnline = row.is_online === 1;
  const seen = [row.status_at, row.ended_at, row.since, row.registered_at].filter((at) => at !== null);
  return {
    id: row.agent_id,
    online: isOnline,
    connected_since: isOnline ? iso(row.since) : null,
    last_seen_at: isOnline ? iso(now) : seen.length === 0 ? null : iso(Math.max(...seen)),
    last_message_at: iso(row.last_message),
    registered_at: iso(row.registered_at),
    version: row.status?.version ?? row.registration?.version ?? null,
    state: row.status?.state ?? null,
    problems: row.status?.problems ?? [],
    commands_pending: row.pending,
    oldest_pending_at: iso(row.oldest),
  };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
