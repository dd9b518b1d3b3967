import type { AgentReport } from '../EdgeBackend.js';
import { takeReports } from '../reports.js';
import { badRequest, withBody } from '../requestBody.js';
import { syncSchema } from '../requests.js';
import type { Endpoint } from './endpoint.js';

/**
 * POST /edge/sync: what the agent asks every 15 s without a socket, and once on every new one. Takes its acks, events and
 * status; hands out every command that is still unacked, oldest first, those that went by socket included: a socket
 * may have swallowed them. `last_command_id` is not looked at: it is no cursor.
 */
export const sync: Endpoint = {
  method: 'POST',
  load: 'life',
  access: 'agent',
  handle: ({ agentId, body }, context) =>
    withBody(syncSchema, body, async (asked) => {
      const { backend } = context;
      if (asked.edge_agent_id && asked.edge_agent_id !== agentId) {
        return badRequest([`edge_agent_id: expected ${agentId}, the agent whose credentials these are`]);
      }
      const reports: AgentReport[] = [
        ...asked.command_acks.map((ack) => ({ kind: 'command_ack', ack }) as const),
        ...asked.pending_events.map((event) => ({ kind: 'event', event }) as const),
        ...(asked.status ? [{ kind: 'status', status: asked.status } as const] : []),
      ];
      // What we say that we have, we must have: the agent forgets it.
      await takeReports(context, agentId, reports, '/edge/sync');
      const { commands, settings } = await backend.handOut(agentId);
      const reply = {
        commands,
        ack_events: asked.pending_events.map((event) => event.event_id),
        ack_commands: asked.command_acks.map((ack) => ack.command_id),
        ...(settings === undefined ? {} : { config_updates: settings }),
      };
      backend.saw({ kind: 'sync', agentId, body: asked, reply });
      return { status: 200, body: reply };
    }),
};
