import { z } from 'zod';
import {
  agentPageSchema,
  agentSchema,
  commandAcceptedSchema,
  conversationPageSchema,
  DELIVERY_STATES,
  deletedSchema,
  deliveryPageSchema,
  deliverySchema,
  messagePageSchema,
  newCommandSchema,
  newWebhookSchema,
  rotateSecretSchema,
  type Scope,
  statisticsSchema,
  webhookChangeSchema,
  webhookPageSchema,
  webhookSchema,
  webhookWithSecretSchema,
} from '../../model/gatewayApi.js';
import { messageStatusSchema, newMessageSchema, outgoingMessageSchema } from '../../model/gatewayMessages.js';

/** One operation of the API. The server, the OpenAPI document and the tests are made of it. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With parameters, as in `/v1/messages/{id}`. */
  readonly path: string;
  readonly scope: Scope;
  readonly summary: string;
  readonly description: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Takes an `Idempotency-Key`. */
  readonly isRepeatable?: true;
  readonly status: 200 | 201 | 202;
  /** null: a stream of Server-Sent Events; `file`: the bytes of one. */
  readonly reply: z.ZodType | 'file' | null;
  /** The types of errors beyond those that every operation has. */
  readonly errors: readonly ('not_found' | 'conflict' | 'invalid_request')[];
}

const MOST_A_PAGE = 100;

const cursor = z.string().max(1_024).optional().describe('`next_cursor` of the page before.');
const LIMIT = `expected a whole number from 1 to ${MOST_A_PAGE}`;
const limit = z.coerce
  .number(LIMIT)
  .int(LIMIT)
  .min(1, LIMIT)
  .max(MOST_A_PAGE, LIMIT)
  .default(25)
  .describe('The most on a page.');
const page = { limit, cursor };
const agent = z.string().min(1).optional().describe('Which agent. Needed where the key may use several.');

export const OPERATIONS = {
  sendMessage: {
    method: 'POST',
    path: '/v1/messages',
    scope: 'messages:write',
    summary: 'Send a message',
    description:
      'It is kept when this answers, and sent as soon as the agent can. What becomes of it: `GET /v1/messages/{id}`, and the event ' +
      '`message.status`.',
    body: newMessageSchema,
    isRepeatable: true,
    status: 202,
    reply: outgoingMessageSchema,
    errors: ['invalid_request', 'not_found', 'conflict'],
  },
  listMessages: {
    method: 'GET',
    path: '/v1/messages',
    scope: 'messages:read',
    summary: 'Messages of an agent',
    description: 'The newest first.',
    query: z.object({
      agent,
      conversation: z.string().optional(),
      status: messageStatusSchema.optional(),
      ...page,
    }),
    status: 200,
    reply: messagePageSchema,
    errors: ['invalid_request', 'not_found'],
  },
  getMessage: {
    method: 'GET',
    path: '/v1/messages/{id}',
    scope: 'messages:read',
    summary: 'What became of a message',
    description: 'Its status, and each step that led to it, with its time and evidence.',
    query: z.object({
      agent: z.string().min(1).optional().describe('Needed if several agents have a message with this id.'),
    }),
    status: 200,
    reply: outgoingMessageSchema,
    errors: ['not_found', 'conflict'],
  },
  cancelMessage: {
    method: 'DELETE',
    path: '/v1/messages/{id}',
    scope: 'messages:write',
    summary: 'Cancel a scheduled message',
    description:
      'Asks the agent to cancel it. Whether that was still possible shows when the status becomes `cancelled` or another one. A message without ' +
      '`send_at`, or one that has ended, is answered with 409.',
    query: z.object({
      agent: z.string().min(1).optional().describe('Needed if several agents have a message with this id.'),
    }),
    status: 202,
    reply: outgoingMessageSchema,
    errors: ['not_found', 'conflict'],
  },
  getStatistics: {
    method: 'GET',
    path: '/v1/statistics',
    scope: 'messages:read',
    summary: 'Messages by the hour',
    description:
      'How many messages were sent in each of the last 24 hours, how many were not, and how long it took. Replies that a webhook gave in ' +
      'time are not among them.',
    query: z.object({ agent: z.string().min(1).optional().describe('Only of this agent.') }),
    status: 200,
    reply: statisticsSchema,
    errors: ['not_found'],
  },
  listAgents: {
    method: 'GET',
    path: '/v1/agents',
    scope: 'agents:read',
    summary: 'Agents',
    description: 'Those that the key may use.',
    query: z.object(page),
    status: 200,
    reply: agentPageSchema,
    errors: ['invalid_request'],
  },
  getAgent: {
    method: 'GET',
    path: '/v1/agents/{id}',
    scope: 'agents:read',
    summary: 'One agent',
    description: 'Whether it is connected, whether it is healthy, and what waits for it.',
    status: 200,
    reply: agentSchema,
    errors: ['not_found'],
  },
  addCommand: {
    method: 'POST',
    path: '/v1/agents/{id}/commands',
    scope: 'agents:write',
    summary: 'Give an agent a command',
    description: 'Any command of docs/protocol.md, 4. Its ack comes as the event `command.status`.',
    body: newCommandSchema,
    isRepeatable: true,
    status: 202,
    reply: commandAcceptedSchema,
    errors: ['invalid_request', 'not_found', 'conflict'],
  },
  listConversation: {
    method: 'GET',
    path: '/v1/conversations/{id}/messages',
    scope: 'messages:read',
    summary: 'The messages of a conversation',
    description:
      'What came in and what went out, in the order in which the gateway got it, the newest first.',
    query: z.object({ agent, ...page }),
    status: 200,
    reply: conversationPageSchema,
    errors: ['invalid_request', 'not_found'],
  },
  getAttachment: {
    method: 'GET',
    path: '/v1/attachments/{id}',
    scope: 'messages:read',
    summary: 'A file that came with a message',
    description:
      'Its bytes, by the `guid` of one of the `attachments` of a message, once the agent has brought them: until then 404. With the name ' +
      'and type that the agent gave.',
    query: z.object({ agent }),
    status: 200,
    reply: 'file',
    errors: ['invalid_request', 'not_found'],
  },
  streamEvents: {
    method: 'GET',
    path: '/v1/events',
    scope: 'events:read',
    summary: 'Events as they happen',
    description:
      'Server-Sent Events: `id` is a cursor, `event` the type, `data` the event (GatewayEvent). With `Last-Event-ID` (or `after`) it ' +
      'continues there, and skips nothing; without, it begins now. A reader that is too slow is disconnected, and continues in the same way.',
    query: z.object({
      types: z.string().optional().describe('Only these types, separated by commas.'),
      agent: z.string().min(1).optional().describe('Only of this agent.'),
      after: z.string().optional().describe('Like `Last-Event-ID`, for clients that cannot send headers.'),
    }),
    status: 200,
    reply: null,
    errors: ['invalid_request', 'not_found'],
  },
  createWebhook: {
    method: 'POST',
    path: '/v1/webhooks',
    scope: 'webhooks',
    summary: 'Have events posted',
    description: 'By the Standard Webhooks specification. The answer has the secret, this once.',
    body: newWebhookSchema,
    status: 201,
    reply: webhookWithSecretSchema,
    errors: ['invalid_request'],
  },
  listWebhooks: {
    method: 'GET',
    path: '/v1/webhooks',
    scope: 'webhooks',
    summary: 'Webhooks',
    description: 'Those that this key made; with the scope `admin` and without a list of agents, all.',
    status: 200,
    reply: webhookPageSchema,
    errors: [],
  },
  getWebhook: {
    method: 'GET',
    path: '/v1/webhooks/{id}',
    scope: 'webhooks',
    summary: 'One webhook',
    description: 'Without its secret.',
    status: 200,
    reply: webhookSchema,
    errors: ['not_found'],
  },
  changeWebhook: {
    method: 'PATCH',
    path: '/v1/webhooks/{id}',
    scope: 'webhooks',
    summary: 'Change a webhook',
    description: 'Disable it, enable it, or change what it gets and where.',
    body: webhookChangeSchema,
    status: 200,
    reply: webhookSchema,
    errors: ['invalid_request', 'not_found'],
  },
  deleteWebhook: {
    method: 'DELETE',
    path: '/v1/webhooks/{id}',
    scope: 'webhooks',
    summary: 'Remove a webhook',
    description: 'With everything that waits for it.',
    status: 200,
    reply: deletedSchema,
    errors: ['not_found'],
  },
  rotateWebhookSecret: {
    method: 'POST',
    path: '/v1/webhooks/{id}/rotate-secret',
    scope: 'webhooks',
    summary: 'Give a webhook a new secret',
    description: 'For `overlap_seconds` it is signed with both. The answer has the new secret, this once.',
    body: rotateSecretSchema,
    status: 200,
    reply: webhookWithSecretSchema,
    errors: ['invalid_request', 'not_found'],
  },
  testWebhook: {
    method: 'POST',
    path: '/v1/webhooks/{id}/test',
    scope: 'webhooks',
    summary: 'Send a test event',
    description: 'The event `webhook.test`, whatever the webhook subscribed to.',
    status: 202,
    reply: deliverySchema,
    errors: ['not_found'],
  },
  listDeliveries: {
    method: 'GET',
    path: '/v1/webhooks/{id}/deliveries',
    scope: 'webhooks',
    summary: 'Deliveries of a webhook',
    description: 'The newest first.',
    query: z.object({ state: z.enum(DELIVERY_STATES).optional(), ...page }),
    status: 200,
    reply: deliveryPageSchema,
    errors: ['invalid_request', 'not_found'],
  },
  replayDelivery: {
    method: 'POST',
    path: '/v1/webhooks/{id}/deliveries/{delivery}/replay',
    scope: 'webhooks',
    summary: 'Deliver an event again',
    description:
      'At once, with the same `webhook-id`. If the message was answered already, the reply in its answer is not sent again.',
    status: 202,
    reply: deliverySchema,
    errors: ['not_found'],
  },
} as const satisfies Record<string, Operation>;

/** The name of an operation: `operationId` of the OpenAPI document. */
export type OperationId = keyof typeof OPERATIONS;
