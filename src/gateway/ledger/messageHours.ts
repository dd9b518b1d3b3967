import { z } from 'zod';
import type { MessageStatistics } from '../../model/gatewayApi.js';
import type { MessageStatus } from '../../model/gatewayMessages.js';
import type { Queries } from '../storage/GatewayDatabase.js';
import { statusColumn } from './messageStatus.js';
import { readRows } from './readRows.js';

const HOUR_MS = 3_600_000;
const HOURS = 24;
/** Only so many are counted, so that the question costs the same on any day. */
const MOST_MESSAGES = 5_000;

const rowSchema = z.object({
  created_at: z.number(),
  status: statusColumn,
  acked_at: z.number().nullable(),
});

const SENT: ReadonlySet<MessageStatus> = new Set(['sent', 'delivered', 'read']);

/**
 * What became of the messages of the last 24 hours, by the hour in which they were asked for: those of these agents, or (null) of all. Of
 * more than 5 000, the newest. `now` is Unix ms.
 */
export async function messageHours(
  queries: Queries,
  agents: readonly string[] | null,
  now: number,
): Promise<MessageStatistics> {
  const newest = now - (now % HOUR_MS);
  const begin = newest - (HOURS - 1) * HOUR_MS;
  const names = (agents ?? []).map((_, index) => `$${index + 3}`);
  const among = agents === null ? '' : `AND agent_id IN (${names.join(', ') || 'NULL'})`;
  // The first step behind the request is the first ack, but for an end that no agent told.
  const found = await queries.query(
    `SELECT m.created_at AS created_at, m.status AS status, h.recorded_at AS acked_at
     FROM (SELECT agent_id, message_id, created_at, status FROM messages WHERE created_at >= $1 ${among}
       ORDER BY created_at DESC LIMIT CAST($2 AS BIGINT)) m
     LEFT JOIN message_history h ON h.agent_id = m.agent_id AND h.message_id = m.message_id AND h.step = 1
       AND h.evidence NOT IN ('{"kind":"removal"}', '{"kind":"damage"}')`,
    [begin, MOST_MESSAGES, ...(agents ?? [])],
  );
  const rows = readRows(rowSchema, found);
  const isWhole = rows.length < MOST_MESSAGES;
  const since = isWhole ? begin : Math.min(...rows.map((row) => row.created_at));
  const hours = Array.from({ length: HOURS }, (_, index) => {
    const from = begin + index * HOUR_MS;
    const asked = rows.filter(({ created_at: at }) => at >= from && at < from + HOUR_MS);
    // Two replicas may have written the two times.
    const trips = asked.flatMap(({ created_at, acked_at }) =>
      acked_at === null ? [] : [Math.max(0, acked_at - created_at)],
    );
    return {
      from: new Date(from).toISOString(),
      sent: asked.filter(({ status }) => SENT.has(status)).length,
      failed: asked.filter(({ status }) => status === 'failed').length,
      unknown: asked.filter(({ status }) => status === 'unknown').length,
      round_trip_ms: trips.toSorted((a, b) => a - b)[Math.floor(trips.length / 2)] ?? null,
    };
  });
  return { since: new Date(since).toISOString(), hours };
}
