import { z } from 'zod';
import { messageStatusSchema } from './gatewayMessages.js';

/*
 * The resources of the gateway's API beside messages and events.
 */

const time = z.iso.datetime();

/** What a key may do. `admin` includes all others. */
const SCOPES = [
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

const conversationMessageSchema = z
  .object({
    id: z
      .string()
      .describe(
        'Incoming: its guid. Outgoing: the id of the message, or `reply_` and the guid that it answers.',
      ),
    direction: z.enum(['incoming', 'outgoing']),
    at: time.describe('When the gateway got it.'),
    sender: z.string().nullable().describe('null: the account itself.'),
    text: z.string().nullable(),
    attachments: z.array(z.object({ filename: z.string().nullable() })),
    in_reply_to: z.string().nullable(),
    status: messageStatusSchema.nullable().describe('Of a message that an application sent; else null.'),
  })
  .describe('One message of a conversation.');

export type ConversationMessage = z.infer<typeof conversationMessageSchema>;
