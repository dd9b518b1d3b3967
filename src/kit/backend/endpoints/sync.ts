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
  access: 'agent',
  handle: ({ agentId, body }, { delivery, journal, configUpdates }) =>
    withBody(syncSchema, body, async (asked) => {
      if (asked.edge_agent_id && asked.edge_agent_id !== agentId) {
        return badRequest([`edge_agent_id: expected ${agentId}, the agent whose credentials these are`]);
      }
      for (const ack of asked.command_acks) delivery.acknowledge(agentId, ack, '/edge/sync');
      for (const event of asked.pending_events) {
        journal.record({ kind: 'event', agentId, channel: '/edge/sync', body: event });
      }
      if (asked.status)
        journal.record({ kind: 'status', agentId, channel: '/edge/sync', body: asked.status });
      // What we say that we have, we must have: the agent forgets it.
      await delivery.stored();
      const settings = configUpdates.take(agentId);
      const reply = {
        commands: delivery.handOut(agentId),
        ack_events: asked.pending_events.map((event) => event.event_id),
        ack_commands: asked.command_acks.map((ack) => ack.command_id),
        ...(settings === undefined ? {} : { config_updates: settings }),
      };
      journal.record({ kind: 'sync', agentId, body: asked, reply });
      return { status: 200, body: reply };
    }),
};
