import { z } from 'zod';
import { PRESENCES, type Presence, TOPICS } from './clientFrames.js';
import type { RequestFault } from './problem.js';
import { type StatusSnapshot, statusSchema } from './status.js';

/*
 * Everything that the agent says on its local channel, as it writes it; what clients say is in clientFrames.ts.
 */

/** The severity of a notification, from any sender. */
export const NOTIFICATION_LEVELS = ['info', 'success', 'warning', 'error'] as const;

const timestamp = z.iso.datetime();
const presence = z.object({ userId: z.string(), status: z.enum(PRESENCES) });

export const authSchema = z
  .object({
    type: z.literal('auth'),
    data: z.union([
      z.object({ success: z.literal(true), userId: z.string() }),
      z.object({ success: z.literal(false), error: z.string() }),
    ]),
    timestamp,
  })
  .describe('The first frame. Without a valid token only ping, pong and error follow.');
export const pingSchema = z
  .object({ type: z.literal('ping'), timestamp })
  .describe('Every 30 s. A client that is silent for 60 s is dropped.');
export const pongSchema = z.object({ type: z.literal('pong'), timestamp });
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
  .describe('What the agent is doing: after auth, and when it changes.');
export const chatMessageSchema = z
  .object({
    type: z.literal('chat_message'),
    data: z.object({
      conversationId: z.string(),
      messageId: z.string(),
      content: z.string(),
      sender: z.string(),
      timestamp,
      /** Its position among all texts: `texts.since` returns the texts after it. Messages of an embedding program have none. */
      cursor: z.string().optional(),
    }),
    timestamp,
  })
  .describe('A text that was received or sent.');
export const notificationSchema = z
  .object({
    type: z.literal('notification'),
    data: z.object({
      level: z.enum(NOTIFICATION_LEVELS),
      message: z.string(),
      /** The user who did it. */
      by: z.string().optional(),
    }),
    timestamp,
  })
  .describe('For all clients, or for one user.');
export const presenceSchema = z
  .object({ type: z.literal('user_presence'), data: presence, timestamp })
  .describe('The presence of a user; all connections of one user count as one.');
export const errorSchema = z
  .object({ type: z.literal('error'), data: z.object({ error: z.string() }), timestamp })
  .describe('A frame of the client was not understood or is not allowed; the connection stays open.');
export const snapshotSchema = z
  .object({
    type: z.literal('snapshot'),
    data: z.object({ status: statusSchema, presence: z.array(presence) }),
    timestamp,
  })
  .describe('Only to subscribers: immediately, and when it changes.');
export const eventSchema = z
  .object({
    type: z.literal('event'),
    data: z.looseObject({ topic: z.enum(TOPICS), at: timestamp }),
    timestamp,
  })
  .describe('Only to subscribers of the topic; its other fields depend on the topic.');
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
  .describe('The answer to a request, by its id.');

type DataOf<Frame extends z.ZodType<{ data: unknown }>> = z.infer<Frame>['data'];

/** What the agent does. `stopped`: it ends, or nothing may go out. `progress` is 0 to 100, where it can be counted. */
export type AgentStatus = DataOf<typeof agentStatusSchema>;

/** A received or sent text. `timestamp` is its time, ISO 8601. */
export type ChatMessage = DataOf<typeof chatMessageSchema>;

export type Notification = DataOf<typeof notificationSchema>;

export type NotificationLevel = Notification['level'];

/** A user with any number of tabs; `offline` once the last of them has gone. */
export interface UserPresence {
  userId: string;
  status: Presence;
}

/** The status of the agent, and everybody who watches. */
export interface Snapshot {
  status: StatusSnapshot;
  presence: UserPresence[];
}

/** Something that just happened, of a topic that was subscribed to. What else it has depends on the topic. */
export type LiveEvent = { at: string } & LiveFact;

/** The fields of an event, by topic. */
export type LiveFact =
  | { topic: 'commands'; commandId: string; commandType?: string | undefined; stage: string; code?: string }
  | { topic: 'logs'; level: string; message: string; fields: Record<string, unknown> }
  | { topic: 'link'; state: string; detail: string }
  | { topic: 'sends'; conversation: string; outcome: string; ms: number }
  | { topic: 'queues' | 'schedule' | 'pauses' | 'problems' | 'doctor' };

/** The data of each frame that the agent sends, by its type. */
export interface ServerFrames {
  auth: DataOf<typeof authSchema>;
  ping: undefined;
  pong: undefined;
  agent_status: AgentStatus;
  chat_message: ChatMessage;
  notification: Notification;
  user_presence: UserPresence;
  error: { error: string };
  snapshot: Snapshot;
  event: LiveEvent;
  response: { id: string; ok: true; result: unknown } | { id: string; ok: false; error: RequestFault };
}

/** A frame of the agent, without the `timestamp` that is added to each. */
export type ServerFrame = {
  [Type in keyof ServerFrames]: ServerFrames[Type] extends undefined
    ? { type: Type }
    : { type: Type; data: ServerFrames[Type] };
}[keyof ServerFrames];
