import type { HealthReply, Stats } from '../../../model/backendBodies.js';
import { refusal } from '../admission.js';
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
  async handle({ operator }, { registry, backend, latencies }) {
    if (operator?.maySeeStats !== true) return refusal(403, 'this key does not allow to see the statistics');
    const live = registry.all();
    const { all, of } = await backend.counts(live.map(({ agentId }) => agentId));
    const connections = live.map((connection) => {
      const { pending, acked } = of.get(connection.agentId) ?? { pending: 0, acked: 0 };
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
    return {
      status: 200,
      body: {
        total_connections: connections.length,
        commands_pending: all.pending,
        commands_acked: all.acked,
        ack_latency_ms: latencies.all.summary(),
        connections,
      } satisfies Stats,
    };
  },
};
