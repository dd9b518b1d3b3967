import { z } from 'zod';
import { PersonaLate } from '../MessageAnswers.js';
import { badRequest, fieldErrors } from '../requestBody.js';
import type { Endpoint } from './endpoint.js';

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

const messageSchema = z.looseObject({
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

/**
 * POST /edge/message: one incoming iMessage. The reflex goes over the socket of the agent named by X-Edge-Agent-Id, the reply
 * (reflex and all) is the response. The idempotency key is `message_guid`, also URL-encoded in the header `Idempotency-Key`;
 * one that is not encoded is taken too.
 */
export const message: Endpoint = {
  method: 'POST',
  access: 'agent',
  async handle({ agentId, path, body, headers }, { desk, journal, log }) {
    const parsed = messageSchema.safeParse(body);
    if (!parsed.success) return badRequest(fieldErrors(parsed.error));
    const key = headers['idempotency-key'];
    const keys = typeof key === 'string' ? [decoded(key), key] : [];
    const guid = parsed.data.message_guid ?? keys[0];
    if (guid === undefined) return badRequest(['message_guid: expected the guid of the message']);
    if (keys.length > 0 && !keys.includes(guid)) {
      return badRequest(['message_guid: expected the same value as the header Idempotency-Key']);
    }
    let reply: Record<string, unknown> | undefined;
    try {
      reply = await desk.reply(agentId, guid, parsed.data);
    } catch (mistake) {
      if (!(mistake instanceof PersonaLate)) throw mistake;
      log(`[HTTP] ${path} failed: ${mistake.message}`);
      return { status: 503, body: { error: 'unavailable', message: 'there is no answer yet; try again' } };
    }
    if (reply === undefined) return undefined;
    return {
      status: 200,
      body: reply,
      sent: (delivered) => journal.record({ kind: 'reply', agentId, guid, body: reply, delivered }),
    };
  },
};

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // It was never encoded: the key is as it came.
    return key;
  }
}
