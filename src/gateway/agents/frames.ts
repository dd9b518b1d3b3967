import { z } from 'zod';
import { fieldErrors, plainIssue } from '../../system/plainIssues.js';

/** Why we close a socket; 4xxx are ours, the others are RFC 6455's. */
export const CLOSE = {
  /** The Authorization header is missing or is no bearer token. */
  unauthorized: 4001,
  /** The token does not verify. */
  policy: 1008,
  /** We could not store what came; a new connection asks for it again. */
  failed: 1011,
  /** We are going down; a new connection finds another replica, or us again. */
  restarting: 1012,
  /** Our storage does not work now. */
  busy: 1013,
  /** Nothing came from the agent for the silence limit. */
  silent: 4408,
  /** Another connection with this agent id took over. */
  replaced: 4409,
} as const;

/** A reason that fits a close frame: RFC 6455 leaves 123 bytes for it, and ws throws beyond them. */
export function closeReason(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 120);
}

/** A command as it travels. More keys are allowed and travel along. */
export interface WireCommand {
  readonly command_id: string;
  readonly command_type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly priority?: string;
  /** ISO 8601, when the backend made it. */
  readonly timestamp?: string;
  readonly [key: string]: unknown;
}

/** An ack in any documented form; `revision` is 1 where the agent sent none. */
export const ackSchema = z
  .looseObject({
    command_id: z.string().min(1),
    status: z.enum(['completed', 'failed']).optional(),
    success: z.boolean().optional(),
    error: z.string().nullish(),
    revision: z.int().min(1).default(1),
    result: z.record(z.string(), z.unknown()).nullish(),
  })
  .refine((ack) => ack.status !== undefined || ack.success !== undefined, {
    path: ['status'],
    message: 'expected "completed" or "failed", or a boolean "success"',
  });
export type Ack = z.infer<typeof ackSchema>;

export const eventSchema = z.looseObject({
  event_id: z.string().min(1),
  event_type: z.string().min(1),
  thread_id: z.string().nullish(),
  details: z.unknown().optional(),
  timestamp: z.string().optional(),
});
export type AgentEvent = z.infer<typeof eventSchema>;

export const statusSchema = z.record(z.string(), z.unknown());
export type ReportedStatus = z.infer<typeof statusSchema>;

/** What an agent may send over its socket. `malformed` and `unknown` are answered, never punished. */
type AgentFrame =
  | { kind: 'ping' }
  | { kind: 'pong' }
  | { kind: 'command_ack'; ack: Ack }
  | { kind: 'event'; event: AgentEvent }
  | { kind: 'status'; status: ReportedStatus }
  | { kind: 'unknown'; type: string }
  | { kind: 'malformed'; reason: string };

const envelopeSchema = z.looseObject({ type: z.string().min(1), data: z.unknown().optional() });

/** Reads a text frame. Total: never throws, whatever the text. */
export function parseAgentFrame(text: string): AgentFrame {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not an internal error: it is reported to the caller, and the connection stays.
    return { kind: 'malformed', reason: 'not JSON' };
  }
  const envelope = envelopeSchema.safeParse(json, { error: plainIssue });
  if (!envelope.success) return { kind: 'malformed', reason: fieldErrors(envelope.error).join('; ') };
  const { type, data } = envelope.data;
  switch (type) {
    case 'ping':
    case 'pong':
      return { kind: type };
    case 'command_ack':
      return read(ackSchema, data, (ack) => ({ kind: 'command_ack', ack }));
    case 'event':
      return read(eventSchema, data, (event) => ({ kind: 'event', event }));
    case 'status':
      return read(statusSchema, data, (status) => ({ kind: 'status', status }));
    default:
      return { kind: 'unknown', type };
  }
}

function read<T>(schema: z.ZodType<T>, data: unknown, make: (value: T) => AgentFrame): AgentFrame {
  const parsed = schema.safeParse(data, { error: plainIssue });
  if (parsed.success) return make(parsed.data);
  return { kind: 'malformed', reason: fieldErrors(parsed.error, 'data').join('; ') };
}

/** Where the documents show a command in its frame: clients read one of the two. */
export type Envelope = 'data' | 'payload' | 'both';

/** Longer than any text, in UTF-16 units: a command beyond it has files in it, and goes in `data` alone. */
const BOTH_AT_MOST = 512 * 1024;

/** `both` for what is short: with a file in it twice, a frame would be larger than agents read (16 MiB). */
export function commandFrame(command: WireCommand, envelope: Envelope): string {
  const text = JSON.stringify(command);
  if (envelope !== 'both') return `{"type":"command","${envelope}":${text}}`;
  if (text.length > BOTH_AT_MOST) return `{"type":"command","data":${text}}`;
  return `{"type":"command","data":${text},"payload":${text}}`;
}

/** Any other frame of ours: `{ type, data?, timestamp }`. `at` is Unix ms. */
export function plainFrame(type: string, at: number, data?: unknown): string {
  return JSON.stringify({ type, data, timestamp: new Date(at).toISOString() });
}
