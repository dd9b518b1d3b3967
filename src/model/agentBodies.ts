import { z } from 'zod';
import { statusSchema } from './status.js';

/*
 * Everything that the agent says to a backend, as it writes it; the tests hold it to what a running agent sends. Fields are only
 * ever added, so others are allowed.
 */

const time = z.iso.datetime();

export const ackSchema = z
  .object({
    command_id: z.string().min(1),
    status: z.enum(['completed', 'failed']),
    success: z.boolean().describe('Whether status is completed.'),
    error: z.string().nullable().describe('null, or a code, a colon and a readable message.'),
    completed_at: time,
    timestamp: time.describe('The same as completed_at.'),
    revision: z
      .int()
      .min(1)
      .describe(
        'Grows, possibly by more than one, when a later ack corrects an earlier one; the highest wins.',
      ),
    result: z
      .record(z.string(), z.unknown())
      .optional()
      .describe(
        'The outcome of a text: outcome, retry_safe, message_guid, restored and more (docs/protocol.md, 5).',
      ),
  })
  .describe('The outcome of a command.');

/** The `data` of a `command_ack` frame, in the form that every backend understands. */
export type AckBody = z.infer<typeof ackSchema>;

export const eventSchema = z
  .object({
    event_id: z.string().min(1).describe('Unique: deduplicate by it.'),
    event_type: z.string().min(1),
    thread_id: z.string().optional(),
    details: z.looseObject({}),
    timestamp: time,
  })
  .describe('An event on the Mac.');

/** An event as it travels (protocol §6). */
export type WireEvent = z.infer<typeof eventSchema>;

export const pingSchema = z
  .object({ type: z.literal('ping') })
  .describe('Answer with pong when everything before it is stored.');
export const pongSchema = z.object({ type: z.literal('pong') }).describe('The answer to your ping.');
export const ackFrameSchema = z.object({ type: z.literal('command_ack'), data: ackSchema });
export const eventFrameSchema = z.object({ type: z.literal('event'), data: eventSchema });
export const statusFrameSchema = z.object({ type: z.literal('status'), data: statusSchema, timestamp: time });

export const registerSchema = z
  .object({
    user_phone: z.string().min(1),
    apple_id: z.string().optional(),
    version: z.string(),
    capabilities: z.array(z.string()),
    auth_token: z.string().optional().describe('The registration token, if the operator has one.'),
    registration_token: z.string().optional().describe('The same.'),
  })
  .describe('Sent once per phone and backend, and again when credentials are refused.');

/** The body of `POST /edge/register`. */
export type RegisterRequest = z.infer<typeof registerSchema>;

export const syncSchema = z
  .object({
    edge_agent_id: z.string(),
    last_command_id: z.string().nullable().describe('For your logs; do not use it as a cursor.'),
    pending_events: z.array(eventSchema).max(200),
    command_acks: z.array(ackSchema).max(200),
    status: z.looseObject({ active_rules: z.literal(0) }).describe('The status snapshot, and active_rules.'),
  })
  .describe('Fetches commands while there is no socket, and delivers what cannot be sent otherwise.');

/** The body of `POST /edge/sync`. */
export type SyncRequest = z.infer<typeof syncSchema>;

export const messageSchema = z
  .object({
    message_guid: z.string().min(1).describe('The idempotency key; a retry has the same one.'),
    sequence: z
      .int()
      .min(1)
      .describe(
        'Its number within its conversation, from 1 on, in the order of posting; a retry has the same one.',
      ),
    thread_id: z.string().min(1),
    chat_guid: z.string(),
    sender: z.string(),
    filtered_text: z.string().describe('The text to read.'),
    text: z.string().optional().describe('Left out if the operator has set privacy.redact.'),
    parts: z
      .array(
        z.discriminatedUnion('type', [
          z.object({ type: z.literal('text'), text: z.string().min(1) }),
          z.object({
            type: z.literal('attachment'),
            guid: z.string().min(1).describe('One of attachments.'),
          }),
        ]),
      )
      .optional()
      .describe('The texts and attachments in the order of the message, filtered like filtered_text.'),
    truncated: z.literal(true).optional().describe('The text is longer than the limit and was truncated.'),
    original_length: z
      .number()
      .int()
      .optional()
      .describe('With truncated: the full length of the text, in UTF-16 units.'),
    original_timestamp: time,
    timestamp: time,
    is_group: z.boolean(),
    mode: z.enum(['direct', 'group']),
    participants: z.array(z.string()),
    service: z.string(),
    to: z
      .string()
      .min(1)
      .optional()
      .describe('The address of the user that it was sent to, if chat.db has it.'),
    was_redacted: z.boolean(),
    redacted_fields: z.array(z.string()),
    reply_to_guid: z.string().optional(),
    attachments: z
      .array(
        z.object({
          guid: z.string().min(1),
          mime_type: z.string().nullable(),
          filename: z.string().nullable(),
          size_bytes: z.number().min(0).nullable(),
          transcription: z.string().optional(),
        }),
      )
      .optional(),
    context: z.record(z.string(), z.unknown()).optional().describe('The context stored by context_update.'),
  })
  .describe('One incoming iMessage.');

/** The body of `POST /edge/message`. */
export type MessageRequest = z.infer<typeof messageSchema>;

export const photoSchema = z
  .object({
    user_phone: z.string(),
    edge_agent_id: z.string(),
    attachment_guid: z.string().min(1).describe('The idempotency key.'),
    message_guid: z.string(),
    chat_guid: z.string(),
    is_group: z.enum(['true', 'false']),
    caption: z.string(),
    participants: z.string().describe('A list as JSON.'),
    context: z.string().describe('An object as JSON.'),
  })
  .describe('The fields of an image upload.');

/** The fields of `POST /photo/upload`, besides the file. */
export type PhotoFields = z.infer<typeof photoSchema>;
