import { z } from 'zod';
import { LONGEST_BURST_DELAY_MS } from './backendBodies.js';
import { evidenceSchema, LONGEST_TEXT, messageErrorSchema, messageStatusSchema } from './gatewayMessages.js';

/*
 * The events of a gateway for applications; the same shape for Server-Sent Events and webhooks.
 */

const time = z.iso.datetime();

const inConversation = z.object({ conversation: z.string() });

export const receivedMessageSchema = z
  .looseObject({
    message_guid: z.string().min(1),
    thread_id: z.string().min(1),
    sender: z.string(),
    filtered_text: z.string(),
    is_group: z.boolean().optional(),
    reply_to_guid: z.string().nullish(),
    attachments: z
      .array(
        z.looseObject({ guid: z.string(), filename: z.string().nullish(), mime_type: z.string().nullish() }),
      )
      .optional(),
    original_timestamp: z.union([z.string(), z.number()]).nullish(),
  })
  .describe('A message as the agent posted it, with every field of docs/protocol.md, 7.');

/** A person's message, as its agent posted it. */
export type ReceivedMessage = z.infer<typeof receivedMessageSchema>;

const details = z.looseObject({}).describe('As the agent reports it: docs/protocol.md, 8.');

/** The data of each type of event. */
const DATA = {
  'message.received': inConversation
    .extend({ message: receivedMessageSchema })
    .describe('A person wrote. The answer of a webhook may be the reply (WebhookAnswer).'),
  'message.status': inConversation
    .extend({
      message_id: z
        .string()
        .nullable()
        .describe(
          'The id of the message; null for a bubble of a reply, and for a text that the operator sent.',
        ),
      status: messageStatusSchema,
      corrects: messageStatusSchema.optional(),
      at: time,
      evidence: evidenceSchema,
      message_guid: z.string().nullable(),
      service: z.string().nullable(),
      error: messageErrorSchema.nullable(),
      retry_safe: z.boolean().nullable(),
      in_reply_to: z.string().nullable(),
    })
    .describe('The status of an outgoing message, whenever it changes.'),
  reaction: inConversation
    .extend({ action: z.enum(['added', 'removed']), details })
    .describe('A person added a reaction to a message, or removed it.'),
  'message.edited': inConversation.extend({ details }).describe('The sender edited a message.'),
  'message.unsent': inConversation.extend({ details }).describe('The sender unsent a message.'),
  'message.withdrawn': inConversation
    .extend({ details })
    .describe('A message was sent from the account itself: do not answer it.'),
  'message.transcribed': inConversation.extend({ details }).describe('An audio message was transcribed.'),
  'message.attachments': inConversation.extend({ details }).describe('Files were added to a message later.'),
  'message.filtered': inConversation.extend({ details }).describe('A message was not forwarded.'),
  'group.changed': inConversation
    .extend({ change: z.string().describe('The event_type of the agent, such as `group_renamed`.'), details })
    .describe('The members, the name or the photo of a group changed.'),
  'operator.replied': inConversation.extend({ details }).describe('The operator wrote from another device.'),
  'conversation.paused': inConversation
    .extend({ details })
    .describe('Nothing is sent in the conversation until the operator resumes it.'),
  'command.status': z
    .object({
      command_id: z.string(),
      command_type: z.string(),
      status: z.enum(['completed', 'failed']),
      revision: z.int().min(1),
      error: z.string().nullable(),
      result: z.looseObject({}).nullable(),
    })
    .describe('The outcome of a command that is not a message.'),
  'agent.online': z.object({ since: time }).describe('The agent has a socket.'),
  'agent.offline': z
    .object({ since: time, reason: z.string() })
    .describe('The agent lost its socket. It may still sync by HTTP.'),
  'agent.degraded': z
    .object({ problems: z.array(z.looseObject({ code: z.string() })) })
    .describe('Its status has new problems.'),
  'agent.recovered': z.object({}).describe('Its status no longer has any problem.'),
  'agent.event': z
    .object({ event_type: z.string(), conversation: z.string().nullable(), details })
    .describe('Any other event of the agent.'),
  'webhook.test': z.object({ message: z.string() }).describe('You requested it.'),
} as const;

/** The type of an event, in the form that Standard Webhooks recommends. */
export type GatewayEventType = keyof typeof DATA;

/** Every type of event, in the order of the documentation. */
export const GATEWAY_EVENT_TYPES = [
  'message.received',
  'message.status',
  'reaction',
  'message.edited',
  'message.unsent',
  'message.withdrawn',
  'message.transcribed',
  'message.attachments',
  'message.filtered',
  'group.changed',
  'operator.replied',
  'conversation.paused',
  'command.status',
  'agent.online',
  'agent.offline',
  'agent.degraded',
  'agent.recovered',
  'agent.event',
  'webhook.test',
] as const satisfies readonly GatewayEventType[];

/** What an event of a type says, without its envelope. */
export type EventData = { [T in GatewayEventType]: z.infer<(typeof DATA)[T]> };

function envelope<T extends GatewayEventType>(type: T) {
  return z
    .object({
      id: z.string().describe('Unique: deduplicate by it. Also in `webhook-id`.'),
      type: z.literal(type),
      timestamp: time.describe('When it happened; for events on a Mac, by the clock of the Mac.'),
      agent: z.string().nullable().describe('The agent; null for a test.'),
      data: DATA[type],
    })
    .describe(DATA[type].description ?? '');
}

/** The schema of each type, in its envelope. */
export const gatewayEventSchemas = {
  'message.received': envelope('message.received'),
  'message.status': envelope('message.status'),
  reaction: envelope('reaction'),
  'message.edited': envelope('message.edited'),
  'message.unsent': envelope('message.unsent'),
  'message.withdrawn': envelope('message.withdrawn'),
  'message.transcribed': envelope('message.transcribed'),
  'message.attachments': envelope('message.attachments'),
  'message.filtered': envelope('message.filtered'),
  'group.changed': envelope('group.changed'),
  'operator.replied': envelope('operator.replied'),
  'conversation.paused': envelope('conversation.paused'),
  'command.status': envelope('command.status'),
  'agent.online': envelope('agent.online'),
  'agent.offline': envelope('agent.offline'),
  'agent.degraded': envelope('agent.degraded'),
  'agent.recovered': envelope('agent.recovered'),
  'agent.event': envelope('agent.event'),
  'webhook.test': envelope('webhook.test'),
} as const satisfies Record<GatewayEventType, z.ZodType>;

/** What applications get: the data of an SSE event, and the body of a webhook. */
export interface GatewayEvent<T extends GatewayEventType = GatewayEventType> {
  readonly id: string;
  readonly type: T;
  readonly timestamp: string;
  readonly agent: string | null;
  readonly data: EventData[T];
}

/** The longest answer to one message: bubbles, reflex not counted. */
const MOST_BUBBLES = 200;

const bubble = z.string().min(1).max(LONGEST_TEXT);
export const webhookAnswerSchema = z
  .object({
    reflex: bubble.optional().describe('Sent first, immediately.'),
    bubbles: z.array(bubble).max(MOST_BUBBLES).optional().describe('Sent one by one.'),
    bubble_delay_ms: z
      .int()
      .min(0)
      .max(LONGEST_BURST_DELAY_MS)
      .optional()
      .describe('The pause between two of them.'),
  })
  .describe(
    'The answer of a webhook to message.received, with any 2xx: the texts to send. Without a body, or without these fields: no reply.',
  );

/** What a webhook's answer to `message.received` has the agent say. */
export type WebhookAnswer = z.infer<typeof webhookAnswerSchema>;
