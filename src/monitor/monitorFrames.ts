import { z } from 'zod';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { excessOf } from '../system/jsonShape.js';

/** What a client may ask to hear about beyond the standard frames. */
export const TOPICS = [
  'link',
  'commands',
  'logs',
  'sends',
  'queues',
  'schedule',
  'pauses',
  'problems',
] as const;

export type Topic = (typeof TOPICS)[number];

/** `offline` is also what a user is whose last connection has gone. */
export type Presence = 'online' | 'away' | 'busy' | 'offline';

export type NotificationLevel = 'info' | 'success' | 'warning' | 'error';

/** What the agent does. `stopped`: it ends, or nothing may go out. `progress` is 0 to 100, where it can be counted. */
export interface AgentStatus {
  agentName: string;
  state: 'idle' | 'working' | 'stopped';
  currentTask?: string;
  progress?: number;
}

/** A text that came in or went out. `timestamp` is when, ISO 8601. */
export interface ChatMessage {
  conversationId: string;
  messageId: string;
  content: string;
  sender: string;
  timestamp: string;
}

export interface UserPresence {
  userId: string;
  status: Presence;
}

/** Why a request failed, in the words of the agent's own errors. */
interface RequestError {
  code: string;
  message: string;
  remedy: string;
}

/** Everything that the server says; it adds `timestamp` (ISO 8601) to each. */
export type ServerFrame =
  | { type: 'auth'; data: { success: true; userId: string } | { success: false; error: string } }
  | { type: 'ping' }
  | { type: 'pong' }
  | { type: 'agent_status'; data: AgentStatus }
  | { type: 'chat_message'; data: ChatMessage }
  | { type: 'notification'; data: { level: NotificationLevel; message: string } }
  | { type: 'user_presence'; data: UserPresence }
  | { type: 'error'; data: { error: string } }
  | { type: 'snapshot'; data: { status: unknown; presence: UserPresence[] } }
  | { type: 'event'; data: { topic: Topic; at: string } & Record<string, unknown> }
  | {
      type: 'response';
      data: { id: string; ok: true; result: unknown } | { id: string; ok: false; error: RequestError };
    };

const PRESENCES = ['online', 'away', 'busy', 'offline'] as const;
const LONGEST_ID = 64;

/** The schema by which clients' frames are read. */
export const clientFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('pong') }),
  z.object({ type: z.literal('user_presence'), data: z.enum(PRESENCES) }),
  z.object({
    type: z.literal('subscribe'),
    data: z.object({ topics: z.array(z.enum(TOPICS)).max(TOPICS.length) }),
  }),
  z.object({
    type: z.literal('request'),
    data: z.object({
      id: z.string().min(1).max(LONGEST_ID),
      verb: z.string().max(LONGEST_ID),
      args: z.record(z.string(), z.unknown()).default({}),
    }),
  }),
]);

/** Everything that a client may say. */
export type ClientFrame = z.output<typeof clientFrameSchema>;

const KNOWN_TYPES = clientFrameSchema.options.map((option) => option.shape.type.value).join(', ');

const FRAME_LIMITS = { nesting: INPUT_LIMITS.nesting, size: INPUT_LIMITS.command } as const;

/** Reads what a client sent; `error` says what is wrong with it, for the `error` frame. Never throws. */
export function readClientFrame(
  text: string,
): { kind: 'frame'; frame: ClientFrame } | { kind: 'refused'; error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What does not parse is told to whoever sent it.
    return { kind: 'refused', error: 'Invalid message format: not JSON' };
  }
  if (excessOf(value, FRAME_LIMITS) !== undefined)
    return { kind: 'refused', error: 'Invalid message format: nested too deep' };
  const parsed = clientFrameSchema.safeParse(value);
  if (parsed.success) return { kind: 'frame', frame: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === 'invalid_union') {
    return { kind: 'refused', error: `Unknown message type: expected one of ${KNOWN_TYPES}` };
  }
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  return { kind: 'refused', error: `Invalid message format${where}: ${issue?.message ?? 'not a message'}` };
}

/** A frame as it goes over the wire. `at` is Unix ms. */
export function encodeFrame(frame: ServerFrame, at: number): Buffer {
  return Buffer.from(JSON.stringify({ ...frame, timestamp: new Date(at).toISOString() }));
}
