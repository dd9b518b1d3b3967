import { z } from 'zod';
import { ackSchema, eventSchema, statusSchema } from './frames.js';

/*
 * What an agent may send by HTTP, in every form that the documents show. More fields are allowed and kept.
 */

const attachmentSchema = z.looseObject({
  guid: z.string().min(1),
  mime_type: z.string().nullish(),
  filename: z.string().nullish(),
  size_bytes: z.number().nullish(),
});

const partSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('attachment'), guid: z.string().min(1) }),
]);

const timeSchema = z.union([z.string(), z.number()]);

export const messageSchema = z.looseObject({
  message_guid: z.string().min(1).optional(),
  sequence: z.int().min(1).optional(),
  thread_id: z.string().min(1),
  chat_guid: z.string().nullish(),
  sender: z.string().min(1),
  filtered_text: z.string(),
  text: z.string().nullish(),
  parts: z.array(partSchema).optional(),
  truncated: z.literal(true).optional(),
  original_length: z.int().min(1).optional(),
  original_timestamp: timeSchema.nullish(),
  timestamp: timeSchema.nullish(),
  is_group: z.boolean().optional(),
  mode: z.enum(['direct', 'group']).optional(),
  participants: z.array(z.string()).optional(),
  service: z.string().nullish(),
  was_redacted: z.boolean().optional(),
  redacted_fields: z.array(z.string()).optional(),
  reply_to_guid: z.string().nullish(),
  attachments: z.array(attachmentSchema).optional(),
  context: z.unknown().optional(),
});

export type MessageBody = z.infer<typeof messageSchema>;

export const registerSchema = z.looseObject({
  user_phone: z
    .string()
    .regex(
      /^(\+[1-9]\d{6,14}|[!-9;-?A-~]+@[!-9;-?A-~]+)$/,
      'expected a phone number like +13105551234, or an e-mail address',
    ),
  apple_id: z.string().nullish(),
  version: z.string().nullish(),
  capabilities: z.array(z.string()).nullish(),
  auth_token: z.string().nullish(),
  registration_token: z.string().nullish(),
});

export type RegisterBody = z.infer<typeof registerSchema>;

/** An ack, bare or in the envelope that it has on the socket. */
export const looseAckSchema = z.preprocess((value) => {
  const envelope = z.object({ type: z.literal('command_ack'), data: z.unknown() }).safeParse(value);
  return envelope.success ? envelope.data.data : value;
}, ackSchema);

export const syncSchema = z.looseObject({
  edge_agent_id: z.string().nullish(),
  last_command_id: z.string().nullish(),
  pending_events: z.array(eventSchema).default([]),
  command_acks: z.array(looseAckSchema).default([]),
  status: statusSchema.nullish(),
});

export type SyncBody = z.infer<typeof syncSchema>;
