/** What can be heard about beyond the standard frames. */
export type Topic = 'link' | 'commands' | 'logs' | 'sends' | 'queues' | 'schedule' | 'pauses' | 'problems';

export type Presence = 'online' | 'away' | 'busy' | 'offline';

export type NotificationLevel = 'info' | 'success' | 'warning' | 'error';

/** What the agent does. `progress` is 0 to 100, where it can be counted. */
export interface AgentStatus {
  agentName: string;
  state: 'idle' | 'working' | 'stopped';
  currentTask?: string;
  progress?: number;
}

/** A text that came in or went out. `timestamp` is ISO 8601. */
export interface ChatMessage {
  conversationId: string;
  messageId: string;
  content: string;
  sender: string;
  timestamp: string;
}

export interface Notification {
  level: NotificationLevel;
  message: string;
}

/** A user with any number of tabs; `offline` once the last of them has gone. */
export interface UserPresence {
  userId: string;
  status: Presence;
}

/** Something that just happened, of a topic that was subscribed to. What else it has depends on the topic. */
export type LiveEvent = { at: string } & (
  | { topic: 'commands'; commandId: string; commandType: string; stage: string; code?: string }
  | { topic: 'logs'; level: string; message: string; fields: Record<string, unknown> }
  | { topic: 'link'; state: string; detail: string }
  | { topic: 'sends'; conversation: string; outcome: string; ms: number }
  | { topic: 'queues' | 'schedule' | 'pauses' | 'problems' }
);

/** The status of the agent as in `edge-agent status --json`, of which this names what is used here. */
export interface Snapshot {
  status: Status;
  presence: UserPresence[];
}

export interface Status {
  version: string;
  agent_id: string | null;
  uptime_seconds: number;
  state: 'healthy' | 'degraded';
  problems: { code: string; since: string; message: string; remedy: string }[];
  link: 'realtime' | 'polling' | 'offline';
  link_detail: {
    state: string;
    since: string;
    rtt_ms: number | null;
    reconnects_24h: number;
    next_attempt_at: string | null;
    last_disconnect: { cause: string; at: string } | null;
  };
  scheduled_messages: number;
  next_scheduled_at: string | null;
  commands_waiting: number;
  acks_undelivered: number;
  events_undelivered: number;
  incoming_queued: number;
  incoming_parked: number;
  incoming_expired: number;
  sends_queued: number;
  sends_held: { new_recipients: number; per_minute: number };
  uploads_queued: number;
  paused: {
    conversation: string;
    reason: 'manual' | 'operator' | 'loop';
    since: string;
    incoming: boolean;
  }[];
  last_incoming_at: string | null;
  last_sent_at: string | null;
  last_error: string | null;
  memory_usage_mb: number;
}

/** Why a request failed: what happened, and what to do about it. */
export interface RequestFault {
  code: string;
  message: string;
  remedy: string;
}

/** The data of each frame that the agent sends, by its type. */
export interface ServerFrames {
  auth: { success: true; userId: string } | { success: false; error: string };
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

/** A frame of the agent; `timestamp` is when it was sent, ISO 8601. */
export type ServerFrame = {
  [Type in keyof ServerFrames]: { type: Type; data: ServerFrames[Type]; timestamp: string };
}[keyof ServerFrames];

/** A frame that a client sends. */
export type ClientFrame =
  | { type: 'ping' | 'pong' }
  | { type: 'user_presence'; data: Presence }
  | { type: 'subscribe'; data: { topics: readonly Topic[] } }
  | { type: 'request'; data: { id: string; verb: string; args: object } };

type Kind = 'string' | 'object' | 'boolean' | 'array';

/** The members without which a frame of the type cannot be used. */
const NEEDED: Readonly<Record<keyof ServerFrames, Readonly<Record<string, Kind>>>> = {
  auth: { success: 'boolean' },
  ping: {},
  pong: {},
  agent_status: { agentName: 'string', state: 'string' },
  chat_message: { conversationId: 'string', messageId: 'string', content: 'string', sender: 'string' },
  notification: { level: 'string', message: 'string' },
  user_presence: { userId: 'string', status: 'string' },
  error: { error: 'string' },
  snapshot: { status: 'object', presence: 'array' },
  event: { topic: 'string', at: 'string' },
  response: { id: 'string', ok: 'boolean' },
};

/** Reads a frame; undefined for what is none, or of a type that a newer agent may have. Never throws. */
export function readServerFrame(text: unknown): ServerFrame | undefined {
  if (typeof text !== 'string') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told by the return: what is no JSON is no frame.
    return undefined;
  }
  if (!isRecord(value) || typeof value.type !== 'string' || !Object.hasOwn(NEEDED, value.type))
    return undefined;
  const { type, data = {} } = value;
  const needed = Object.entries(NEEDED[type as keyof ServerFrames]);
  if (!isRecord(data) || !needed.every(([name, kind]) => kindOf(data[name]) === kind)) return undefined;
  const timestamp = typeof value.timestamp === 'string' ? value.timestamp : '';
  return { type, data, timestamp } as ServerFrame;
}

function kindOf(value: unknown): Kind | undefined {
  if (Array.isArray(value)) return 'array';
  if (isRecord(value)) return 'object';
  const kind = typeof value;
  return kind === 'string' || kind === 'boolean' ? kind : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
