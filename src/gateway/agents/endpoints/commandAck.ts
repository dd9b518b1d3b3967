import type { AckReply } from '../../../model/backendBodies.js';
import type { Channel } from '../EdgeBackend.js';
import { takeReports } from '../reports.js';
import { withBody } from '../requestBody.js';
import { looseAckSchema } from '../requests.js';
import type { Endpoint } from './endpoint.js';

/**
 * POST /edge/command/ack, and under its older name /edge/ack_command: one ack. Harmless to repeat, in any order; the
 * JSON reply confirms to the agent that it was read.
 */
export function commandAck(channel: Channel): Endpoint {
  return {
    method: 'POST',
    load: 'life',
    access: 'agent',
    handle: ({ agentId, body }, context) =>
      withBody(looseAckSchema, body, async (ack) => {
        await takeReports(context, agentId, [{ kind: 'command_ack', ack }], channel);
        return { status: 200, body: { success: true, ack_commands: [ack.command_id] } satisfies AckReply };
      }),
  };
}
