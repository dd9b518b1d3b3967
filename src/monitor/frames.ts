import { z } from 'zod';

/*
 * The frames of the local real-time channel, which an agent serves to its operators on their own machine:
 * `ws://127.0.0.1:<port>/ws?token=<JWT>`. The server adds the time to all of its frames.
 */

const timestamp = z.iso.datetime();
const PRESENCES = ['online', 'away', 'busy', 'offline'] as const;

export const authFrame = z
  .object({
    type: z.literal('auth'),
    data: z.object({ success: z.boolean(), userId: z.string().optional(), error: z.string().optional() }),
    timestamp,
  })
  .describe('The first frame. Without success the client gets ping and error, and nothing of the agent.');
export const serverPing = z.object({ type: z.literal('ping'), timestamp }).describe('Every 30 s.');
export const serverPong = z.object({ type: z.literal('pong'), timestamp });
export const agentStatus = z
  .object({
    type: z.literal('agent_status'),
    data: z.object({
      agentName: z.string(),
      state: z.enum(['idle', 'working', 'stopped']),
      currentTask: z.string().optional(),
      progress: z.number().min(0).max(100).optional(),
    }),
    timestamp,
  })
  .describe('What the agent is at.');
export const chatMessage = z
  .object({
    type: z.literal('chat_message'),
    data: z.object({
      conversationId: z.string(),
      messageId: z.string(),
      content: z.string(),
      sender: z.string(),
      timestamp,
    }),
    timestamp,
  })
  .describe('A message of a conversation, coming in or going out.');
export const notification = z
  .object({
    type: z.literal('notification'),
    data: z.object({ level: z.enum(['info', 'success', 'warning', 'error']), message: z.string() }),
    timestamp,
  })
  .describe('For everyone, or for one user.');
export const presenceTold = z
  .object({
    type: z.literal('user_presence'),
    data: z.object({ userId: z.string(), status: z.enum(PRESENCES) }),
    timestamp,
  })
  .describe('Who is there.');
export const errorFrame = z
  .object({ type: z.literal('error'), data: z.object({ error: z.string() }), timestamp })
  .describe('A frame of the client was malformed or is unknown.');

export const clientPing = z.object({ type: z.literal('ping') });
export const clientPong = z
  .object({ type: z.literal('pong') })
  .describe('A client of which nothing was heard for 60 s is dropped.');
export const presence = z
  .object({ type: z.literal('user_presence'), data: z.enum(PRESENCES) })
  .describe('How the user of this client is.');
/** What a client may send. */
export const clientFrame = z.discriminatedUnion('type', [clientPing, clientPong, presence]);
