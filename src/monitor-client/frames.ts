import type { ServerFrame, ServerFrames } from '../model/monitorFrames.js';

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
    // Shown by the return value: text that is not JSON is not a frame.
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
