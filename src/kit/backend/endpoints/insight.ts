import type { HealthReply, Stats } from '../../../model/backendBodies.js';
import type { Endpoint } from './endpoint.js';

/** GET /health and /edge/health: that we are alive. Reveals nothing about agents. */
export const health: Endpoint = {
  method: 'GET',
  access: 'open',
  handle: (_call, { clock, startedAt }) => ({
    status: 200,
    body: {
      status: 'ok',
      uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
    } satisfies HealthReply,
  }),
};

/**
 * GET /edge/websocket/stats, with the admin key: who is connected since when, what waits for them, and how long it takes from
 * a command's way out to its ack.
 */
export const stats: Endpoint = {
  method: 'GET',
  access: 'admin',
  handle: (_call, { registry, queue, delivery }) => {
    const connections = registry.all().map((connection) => {
      const { pending, acked } = queue.counts(connection.agentId);
      return {
        edge_agent_id: connection.agentId,
        connected_since: new Date(connection.since).toISOString(),
        last_seen: new Date(connection.lastSeenAt).toISOString(),
        pings: connection.pings,
        commands_pending: pending,
        commands_acked: acked,
        ack_latency_ms: connection.latencies.summary(),
      };
    });
    const { pending, acked } = queue.counts();
    return {
      status: 200,
      body: {
        total_connections: connections.length,
        commands_pending: pending,
        commands_acked: acked,
        ack_latency_ms: delivery.latencies.summary(),
        connections,
      } satisfies Stats,
    };
  },
};
