import type { AckBody, SyncRequest, WireEvent } from '../model/agentBodies.js';
import type { Command, Priority } from '../model/command.js';
import { NOTIFICATION_LEVELS, type Notification } from '../model/monitorFrames.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { excessOf, hasAtMostPieces } from '../system/jsonShape.js';

/** A word of the backend for those who watch the agent. */
export type BackendNotification = Readonly<Pick<Notification, 'level' | 'message'>>;

/** One inbound frame. Every text has a reading: `malformed` and `unknown` are readings too. */
export type Frame =
  | { readonly type: 'pong' }
  | { readonly type: 'ping' }
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'config_update'; readonly settings: Record<string, unknown> }
  | { readonly type: 'connected'; readonly accepts: readonly string[] | null }
  | { readonly type: 'notice'; readonly name: 'auth' | 'error'; readonly text: string }
  | ({ readonly type: 'notification' } & BackendNotification)
  | { readonly type: 'unknown'; readonly name: string }
  | { readonly type: 'malformed'; readonly reason: string };

/** The reply of `/edge/sync`. `dropped` counts commands without a usable command_id. */
interface SyncReply {
  readonly commands: readonly Command[];
  readonly dropped: number;
  readonly ackEvents: readonly string[];
  readonly ackCommands: readonly string[];
  readonly configUpdates: Record<string, unknown> | null;
  /** The fields that are given in another form than they have, and count as absent: what was expected, what was found. */
  readonly faults: readonly string[];
}

const PRIORITIES: readonly Priority[] = ['immediate', 'high', 'normal', 'low', 'deferred'];

/** A name or a number by which something is known; undefined for anything else. */
function identifierOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const id = value.trim();
  return id !== '' && id.length <= INPUT_LIMITS.identifier ? id : undefined;
}

/** What of a list is an identifier; none for what is no list. */
function identifiersOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((item: unknown) => identifierOf(item) ?? []) : [];
}

/** A word, whatever its case and the blanks around it; '' for anything else. */
function wordOf(value: unknown): string {
  return typeof value === 'string' ? value.trim().toLowerCase() : '';
}

/** Reads one text frame. Total: never throws, whatever the text. */
export function parseFrame(text: string): Frame {
  if (!hasAtMostPieces(text, INPUT_LIMITS.syncPieces))
    return {
      type: 'malformed',
      reason: `more than ${INPUT_LIMITS.syncPieces} objects, lists and commas`,
    };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not JSON is an expected reading of what strangers send.
    return { type: 'malformed', reason: 'not JSON' };
  }
  const frame = asObject(json);
  const type = wordOf(frame?.type);
  if (frame === undefined || type === '') return { type: 'malformed', reason: 'not an object with a type' };
  switch (type) {
    case 'pong':
    case 'ping':
      return { type };
    case 'command': {
      const command = parseCommand(commandObject(frame));
      return command
        ? { type: 'command', command }
        : { type: 'malformed', reason: 'command without command_id' };
    }
    case 'config_update': {
      const settings = usableSettings(asObject(frame.data) ?? asObject(frame.payload));
      return settings
        ? { type: 'config_update', settings }
        : { type: 'malformed', reason: 'config_update without settings' };
    }
    case 'connected':
      return { type: 'connected', accepts: parseAccepts(frame) };
    case 'notification':
      return { type: 'notification', level: levelOf(frame), message: noticeText(frame) };
    case 'auth':
    case 'error':
      return { type: 'notice', name: type, text: noticeText(frame) };
    default:
      return { type: 'unknown', name: type.slice(0, 60) };
  }
}

/**
 * Reads a sync reply; undefined if it is not an object. Fields of a wrong form count as absent and are named in `faults`; so does
 * null, which many backends write for nothing.
 */
export function parseSyncReply(json: unknown): SyncReply | undefined {
  const reply = asObject(json);
  if (!reply) return undefined;
  const listed = Array.isArray(reply.commands) ? reply.commands : [];
  const commands = listed.flatMap((item) => {
    const candidate = asObject(item);
    return (candidate && parseCommand(commandObject(candidate))) ?? [];
  });
  return {
    commands,
    dropped: listed.length - commands.length,
    ackEvents: identifiersOf(reply.ack_events),
    ackCommands: identifiersOf(reply.ack_commands),
    configUpdates: usableSettings(asObject(reply.config_updates) ?? asObject(reply.config_update)) ?? null,
    faults: Object.entries(SYNC_FIELDS).flatMap(([name, form]) => faultOf(name, form, reply[name]) ?? []),
  };
}

const SYNC_FIELDS = {
  commands: 'a list',
  ack_events: 'a list',
  ack_commands: 'a list',
  config_updates: 'an object',
  config_update: 'an object',
} as const;

function faultOf(name: string, expected: 'a list' | 'an object', value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const found = formOf(value);
  return found === expected ? undefined : `${name}: expected ${expected}, found ${found}`;
}

function formOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return isObject(value) ? 'an object' : `a ${typeof value}`;
}

const COMMAND_LIMITS = {
  nesting: INPUT_LIMITS.nesting,
  size: INPUT_LIMITS.command,
  uncounted: new Set(['data_base64']),
} as const;

const EXCESS = {
  nesting: `payload: expected at most ${INPUT_LIMITS.nesting} levels of objects and lists`,
  size: `payload: expected at most ${INPUT_LIMITS.command} characters`,
} as const;

/** Settings within the limits of a command. */
function usableSettings(settings: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  return excessOf(settings, COMMAND_LIMITS) === undefined ? settings : undefined;
}

/** Reads a command object; undefined if it has no usable command_id and so could never be acked. */
export function parseCommand(candidate: unknown): Command | undefined {
  const raw = asObject(candidate);
  const commandId = identifierOf(raw?.command_id);
  if (raw === undefined || commandId === undefined) return undefined;
  const given = raw.payload ?? raw.parameters ?? raw.params;
  const excess = excessOf(given, COMMAND_LIMITS);
  const payload = excess === undefined ? asObject(given) : undefined;
  const commandType = wordOf(raw.command_type);
  const priority = wordOf(raw.priority);
  let fault: string | null = null;
  if (excess !== undefined) fault = EXCESS[excess];
  else if (commandType === '') fault = 'command_type: expected a name';
  else if (given !== undefined && given !== null && !payload)
    fault = `payload: expected an object, found ${formOf(given)}`;
  return {
    commandId,
    commandType,
    payload: payload ?? {},
    priority: PRIORITIES.find((one) => one === priority) ?? 'normal',
    timestamp: parseInstant(raw.timestamp),
    fault,
    raw: excess === undefined ? raw : { command_id: commandId },
  };
}

/**
 * An instant as Unix ms: ISO 8601 (no zone = UTC), Unix seconds or ms, as a number or in digits. Null otherwise.
 */
export function parseInstant(value: unknown): number | null {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || value <= 0) return null;
    return value < 1e11 ? Math.round(value * 1_000) : Math.round(value);
  }
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return parseInstant(Number(text));
  const iso = text.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, '$1T');
  const zoned = /T/i.test(iso) && !/(z|[+-]\d\d:?\d\d)$/i.test(iso) ? `${iso}Z` : iso;
  const ms = Date.parse(zoned);
  return Number.isNaN(ms) ? null : ms;
}

/** The frame types beyond the documents that this backend reads; null if it does not say. */
export function parseAccepts(reply: Record<string, unknown>): readonly string[] | null {
  const listed = [reply, asObject(reply.data), asObject(reply.payload)]
    .map((place) => place?.accepts)
    .find((accepts) => Array.isArray(accepts));
  return listed === undefined ? null : identifiersOf(listed);
}

/** A plain object, or undefined. */
export function asObject(value: unknown): Record<string, unknown> | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The command of a frame is under `data`, under `payload` (older backends), or is the frame itself. */
function commandObject(frame: Record<string, unknown>): unknown {
  for (const place of [frame.data, frame.payload]) {
    if (asObject(place)?.command_id !== undefined) return place;
  }
  return frame;
}

/** `info` where the backend names none that there is. */
function levelOf(frame: Record<string, unknown>): BackendNotification['level'] {
  const { level } = asObject(frame.data) ?? asObject(frame.payload) ?? frame;
  return NOTIFICATION_LEVELS.find((one) => one === level) ?? 'info';
}

function noticeText(frame: Record<string, unknown>): string {
  const data = asObject(frame.data) ?? asObject(frame.payload) ?? frame;
  for (const key of ['message', 'error', 'reason', 'status']) {
    const value = data[key];
    if (typeof value === 'string') return value.slice(0, 200);
  }
  return '';
}

/** Largest frame accepted, in bytes; a larger one ends the socket with 1009 (protocol §3). */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;

export const PING_FRAME = '{"type":"ping"}';
export const PONG_FRAME = '{"type":"pong"}';

/** What an ack is made of. */
interface AckInput {
  readonly commandId: string;
  /** For a person; null means that the command succeeded. */
  readonly error: string | null;
  /** When it ended, Unix ms. */
  readonly at: number;
  readonly revision: number;
  readonly result?: Record<string, unknown>;
}

/** The body of an ack, with every document's names for the same things. */
export function ackBody(input: AckInput): AckBody {
  const at = new Date(input.at).toISOString();
  return {
    command_id: input.commandId,
    status: input.error === null ? 'completed' : 'failed',
    success: input.error === null,
    error: input.error,
    completed_at: at,
    timestamp: at,
    revision: input.revision,
    ...(input.result ? { result: input.result } : {}),
  };
}

export function ackFrame(body: AckBody): string {
  return JSON.stringify({ type: 'command_ack', data: body });
}

export function eventFrame(event: WireEvent): string {
  return JSON.stringify({ type: 'event', data: event });
}

export function statusFrame(snapshot: Record<string, unknown>, now: number): string {
  return JSON.stringify({ type: 'status', data: snapshot, timestamp: new Date(now).toISOString() });
}

/** The body of `POST /edge/sync` (protocol §6). */
export function syncBody(parts: {
  agentId: string;
  lastCommandId: string | null;
  events: readonly WireEvent[];
  acks: readonly AckBody[];
  status: Record<string, unknown>;
}): SyncRequest {
  return {
    edge_agent_id: parts.agentId,
    last_command_id: parts.lastCommandId,
    pending_events: [...parts.events],
    command_acks: [...parts.acks],
    status: { active_rules: 0, ...parts.status },
  };
}
