import { z } from 'zod';
import { commandSchema } from './backendBodies.js';
import { GATEWAY_EVENT_TYPES } from './gatewayEvents.js';
import { messageStatusSchema, outgoingMessageSchema } from './gatewayMessages.js';

/*
 * The resources of the gateway's API other than messages and events: agents, commands, conversations, webhooks, and
 * errors.
 */

const time = z.iso.datetime();
const count = z.int().min(0);

export const API_ERROR_TYPES = [
  'invalid_request',
  'authentication',
  'permission',
  'not_found',
  'conflict',
  'rate_limit',
  'unavailable',
  'internal',
] as const;

export const apiErrorSchema = z
  .object({
    error: z.object({
      type: z.enum(API_ERROR_TYPES),
      code: z.string().describe('Stable, for programs.'),
      message: z.string().describe('For people: what happened, and what to do.'),
      field: z.string().optional().describe('The invalid field or parameter.'),
    }),
  })
  .describe('Why not.');

/** The body of every answer that is no success. */
export type ApiErrorBody = z.infer<typeof apiErrorSchema>;

/** What a key may do. `admin` includes all others. */
export const SCOPES = [
  'messages:read',
  'messages:write',
  'agents:read',
  'agents:write',
  'events:read',
  'webhooks',
  'admin',
] as const;

export const scopeSchema = z.enum(SCOPES);

export type Scope = z.infer<typeof scopeSchema>;

/** A page of a list, and where the next one begins. */
function page<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().describe('The `cursor` of the next page; null: this is the last one.'),
  });
}

export const agentSchema = z
  .object({
    id: z.string(),
    online: z.boolean().describe('Whether it has a socket now.'),
    connected_since: time.nullable(),
    last_seen_at: time.nullable(),
    last_message_at: time
      .nullable()
      .describe(
        'When the gateway got the newest message of its conversations, incoming or outgoing; null: none yet.',
      ),
    registered_at: time.nullable(),
    version: z.string().nullable(),
    state: z
      .string()
      .nullable()
      .describe('`healthy` or `degraded`, from its newest status; null: it has sent none.'),
    problems: z.array(z.looseObject({ code: z.string() })).describe('From its newest status.'),
    commands_pending: count.describe('Stored for it, not yet acked.'),
    oldest_pending_at: time.nullable(),
  })
  .describe('A Mac.');

/** An agent, as the API shows it. */
export type AgentResource = z.infer<typeof agentSchema>;

export const agentPageSchema = page(agentSchema).describe('Agents, in the order in which they were added.');

export const statisticsSchema = z
  .object({
    since: time.describe('Nothing before this time is counted.'),
    hours: z
      .array(
        z.object({
          from: time,
          sent: count,
          failed: count,
          unknown: count,
          round_trip_ms: count
            .nullable()
            .describe(
              'The median from the request until the gateway had the first ack; null: none was acked.',
            ),
        }),
      )
      .describe('The last 24, the newest one last, each with the messages requested in it.'),
  })
  .describe('Outcomes of messages by the hour; if there are more than 5000, only the newest are counted.');

export type MessageStatistics = z.infer<typeof statisticsSchema>;

export const newCommandSchema = z
  .strictObject({
    command_type: z.string().min(1).max(128),
    payload: z.record(z.string(), z.unknown()).optional(),
    priority: commandSchema.shape.priority,
  })
  .describe(
    'A command of docs/protocol.md, 4, unchanged. Use POST /v1/messages for texts: only those have a status and a history.',
  );

export const commandAcceptedSchema = z
  .object({
    id: z.string().describe('The command_id.'),
    agent: z.string(),
    command_type: z.string(),
    created_at: time,
  })
  .describe('It is stored for the agent. The event command.status reports its outcome.');

export const messagePageSchema = page(outgoingMessageSchema).describe('Messages, the newest first.');

export const conversationMessageSchema = z
  .object({
    id: z
      .string()
      .describe(
        'Incoming: its guid. Outgoing: the id of the message, or `reply_` and the guid that it answers.',
      ),
    direction: z.enum(['incoming', 'outgoing']),
    at: time.describe('When the gateway got it.'),
    sender: z.string().nullable().describe('null: sent from the account itself.'),
    text: z.string().nullable(),
    attachments: z.array(z.object({ filename: z.string().nullable() })),
    in_reply_to: z.string().nullable(),
    status: messageStatusSchema
      .nullable()
      .describe('The status of a message that an application sent; else null.'),
  })
  .describe('One message of a conversation.');

export type ConversationMessage = z.infer<typeof conversationMessageSchema>;

export const conversationPageSchema = page(conversationMessageSchema).describe(
  'A conversation, the newest first.',
);

const eventChoice = z
  .array(z.enum(['*', ...GATEWAY_EVENT_TYPES]))
  .min(1)
  .describe('The types of events it gets; `*`: all.');
const endpointUrl = z
  .string()
  .max(2_048)
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'expected an https URL')
  .describe('Its address: https; http only if the gateway allows private addresses.');

export const newWebhookSchema = z
  .strictObject({
    url: endpointUrl,
    events: eventChoice.default(['*']),
    agents: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Only of these agents. Default: all that the key may use.'),
    description: z.string().max(500).optional(),
  })
  .describe('Where events are to be posted.');

export const webhookChangeSchema = z
  .strictObject({
    url: endpointUrl.optional(),
    events: eventChoice.optional(),
    agents: z.array(z.string().min(1)).min(1).nullable().optional(),
    description: z.string().max(500).nullable().optional(),
    enabled: z.boolean().optional(),
  })
  .describe('The changes. Deliveries of a disabled webhook wait for a day.');

export const webhookSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(z.string()),
    agents: z.array(z.string()).nullable(),
    description: z.string().nullable(),
    enabled: z.boolean(),
    disabled_reason: z
      .string()
      .nullable()
      .describe('`request`; `gone`: it answered 410; `key_revoked`: the key that created it was revoked.'),
    created_at: time,
    previous_secret_valid_until: time
      .nullable()
      .describe('During a rotation: until when requests are signed with both secrets.'),
  })
  .describe('An endpoint of an application.');

export type WebhookView = z.infer<typeof webhookSchema>;

export const webhookWithSecretSchema = webhookSchema
  .extend({ secret: z.string().describe('`whsec_…`, to verify requests. Shown only once.') })
  .describe('A webhook, with its secret.');

export const webhookPageSchema = page(webhookSchema);

export const rotateSecretSchema = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(86_400)
      .describe('How long requests are also signed with the old secret.'),
  })
  .describe('Creates a new secret.');

export const DELIVERY_STATES = ['waiting', 'delivered', 'set_aside'] as const;

export const deliverySchema = z
  .object({
    id: z.string().describe('The id of the event: `webhook-id`.'),
    webhook: z.string(),
    agent: z.string().nullable(),
    event_type: z.string(),
    state: z
      .enum(DELIVERY_STATES)
      .describe('`set_aside`: given up after a day, or when the webhook was gone; it can be replayed.'),
    attempts: count,
    created_at: time,
    next_attempt_at: time.nullable(),
    last_attempt_at: time.nullable(),
    last_status: z.int().nullable().describe('The HTTP status of the last answer.'),
    last_error: z.string().nullable(),
    answer: z
      .enum(['none', 'given', 'sent_later', 'invalid'])
      .nullable()
      .describe('The reply in the answer: given to the waiting agent, sent by commands, or invalid.'),
  })
  .describe('One event for one webhook.');

export type DeliveryView = z.infer<typeof deliverySchema>;

export const deliveryPageSchema = page(deliverySchema).describe('Deliveries, the newest first.');

export const deletedSchema = z.object({ id: z.string(), deleted: z.literal(true) });
