import { z } from 'zod';
import { type ServerFrame, TOPICS } from '../../monitor/monitorFrames.js';
import { statusSchema } from './agentSchemas.js';

/*
 * Everything that the agent says on its local channel, as it writes it: the time is added to every frame. What clients say is
 * read by schemas of its own (monitor/monitorFrames.ts).
 */

type Said<Type extends ServerFrame['type']> = z.ZodType<
  Extract<ServerFrame, { type: Type }> & { timestamp: string }
>;

const timestamp = z.iso.datetime();
const presence = z.object({ userId: z.string(), status: z.enum(['online', 'away', 'busy', 'offline']) });

export const authSchema = z
  .object({
    type: z.literal('auth'),
    data: z.union([
      z.object({ success: z.literal(true), userId: z.string() }),
      z.object({ success: z.literal(false), error: z.string() }),
    ]),
    timestamp,
  })
  .describe(
    'The first frame. Without a valid token only ping, pong and error follow.',
  ) satisfies Said<'auth'>;
export const pingSchema = z
  .object({ type: z.literal('ping'), timestamp })
  .describe('Every 30 s. A client that is silent for 60 s is dropped.') satisfies Said<'ping'>;
export const pongSchema = z.object({ type: z.literal('pong'), timestamp }) satisfies Said<'pong'>;
export const agentStatusSchema = z
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
  .describe('What the agent is at: after auth, and when it changes.') satisfies Said<'agent_status'>;
export const chatMessageSchema = z
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
  .describe('A text that came in or went out.') satisfies Said<'chat_message'>;
export const notificationSchema = z
  .object({
    type: z.literal('notification'),
    data: z.object({ level: z.enum(['info', 'success', 'warning', 'error']), message: z.string() }),
    timestamp,
  })
  .describe('For everybody, or for one user.') satisfies Said<'notification'>;
export const presenceSchema = z
  .object({ type: z.literal('user_presence'), data: presence, timestamp })
  .describe('How a user is; all of his connections count as one.') satisfies Said<'user_presence'>;
export const errorSchema = z
  .object({ type: z.literal('error'), data: z.object({ error: z.string() }), timestamp })
  .describe(
    'A frame of the client was not understood, or is not for it; the connection stays.',
  ) satisfies Said<'error'>;
export const snapshotSchema = z
  .object({
    type: z.literal('snapshot'),
    data: z.object({ status: statusSchema, presence: z.array(presence) }),
    timestamp,
  })
  .describe('Only to who subscribed: at once, and when it changes.') satisfies Said<'snapshot'>;
export const eventSchema = z
  .object({
    type: z.literal('event'),
    data: z.looseObject({ topic: z.enum(TOPICS), at: timestamp }),
    timestamp,
  })
  .describe('Only to who subscribed to the topic; what else it has depends on that.') satisfies Said<'event'>;
export const responseSchema = z
  .object({
    type: z.literal('response'),
    data: z.union([
      z.object({ id: z.string(), ok: z.literal(true), result: z.unknown() }),
      z.object({
        id: z.string(),
        ok: z.literal(false),
        error: z.object({ code: z.string(), message: z.string(), remedy: z.string() }),
      }),
    ]),
    timestamp,
  })
  .describe('The answer to a request, by its id.') satisfies Said<'response'>;
