import type { AgentReport, Channel } from './EdgeBackend.js';
import type { EndpointContext } from './endpoints/endpoint.js';

/** Gives the backend what an agent reports, and measures how long its acks took. Resolves when all is durable. */
export async function takeReports(
  { backend, latencies }: EndpointContext,
  agentId: string,
  reports: readonly AgentReport[],
  channel: Channel,
): Promise<void> {
  for (const report of reports) {
    if (report.kind === 'command_ack') latencies.acked(agentId, report.ack.command_id);
  }
  await backend.report(agentId, reports, channel);
}
