import { z } from 'zod';
import { isAgentId } from '../../../model/agentId.js';
import type { SendReply } from '../../../model/backendBodies.js';
import { freshId } from '../../../system/random.js';
import { refusal } from '../admission.js';
import { withBody } from '../requestBody.js';
import type { Endpoint } from './endpoint.js';

export const sendSchema = z
  .object({
    edge_agent_id: z.string().refine(isAgentId, 'expected the id of an agent, like edge_13105551234'),
    thread_id: z.string().min(1),
    message: z.string().optional(),
    text: z.string().optional(),
    message_text: z.string().optional(),
    send_at: z.iso
      .datetime({ offset: true, local: true, error: 'expected a time such as 2026-02-16T18:30:00Z' })
      // The contract asks for a zone; agents take a time without one for UTC.
      .meta({ format: 'date-time' })
      .optional(),
    bubble_type: z.enum(['reflex', 'burst', 'normal']).optional(),
    priority: z.enum(['immediate', 'high', 'normal', 'low', 'deferred']).optional(),
    is_group: z.boolean().optional(),
    command_id: z.string().min(1).optional(),
  })
  .transform(({ message, text, message_text, ...rest }, context) => {
    const said = message ?? text ?? message_text;
    if (said !== undefined && said !== '') return { ...rest, said };
    context.addIssue({ code: 'custom', path: ['message'], message: 'expected a text that is not empty' });
    return z.NEVER;
  });

/**
 * POST /api/send-message: sends a text through an agent, now or at `send_at`. Immediate if the agent's socket is up,
 * else queued; `delivery` says which. Not for agents: it requires the admin key, because it can text anyone. A caller
 * that may repeat the request sets a `command_id`.
 */
export const sendMessage: Endpoint = {
  method: 'POST',
  load: 'work',
  access: 'admin',
  handle: ({ body, operator }, { backend, log }) =>
    withBody(sendSchema, body, async (ask) => {
      if (operator?.maySend(ask.edge_agent_id) !== true)
        return refusal(403, `this key does not allow to send by ${ask.edge_agent_id}`);
      const shared = { thread_id: ask.thread_id, is_group: ask.is_group };
      const command =
        ask.send_at === undefined
          ? ({
              commandType: 'send_message_now',
              payload: { ...shared, text: ask.said, bubble_type: ask.bubble_type ?? 'normal' },
            } as const)
          : ({
              commandType: 'schedule_message',
              payload: { ...shared, message_text: ask.said, send_at: ask.send_at },
            } as const);
      const sent = await backend.send({
        ...command,
        agentId: ask.edge_agent_id,
        commandId: ask.command_id ?? freshId('cmd'),
        priority: ask.priority,
        threadId: ask.thread_id,
        text: ask.said,
        sendAt: ask.send_at === undefined ? null : timeOf(ask.send_at),
        orderedBy: operator.name,
      });
      if (sent === undefined) {
        return { status: 404, body: { error: 'not_found', message: 'there is no agent with this id' } };
      }
      const { commandId, via } = sent;
      if (via === 'reused') {
        const message = 'command_id: it was used for another text; nothing was sent';
        return { status: 409, body: { error: 'conflict', message } };
      }
      if (via === 'websocket') log('Command sent via WebSocket (instant)');
      else if (via === 'polling') log('WebSocket not available, queuing for HTTP polling');
      return {
        status: 200,
        body: {
          success: true,
          command_id: commandId,
          delivery: via,
          instant: via === 'websocket',
        } satisfies SendReply,
      };
    }),
};

/** Unix ms. A time without a zone is in UTC, as agents take it. */
function timeOf(text: string): number {
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
}
