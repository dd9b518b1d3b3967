import type { AckBody, WireEvent } from '../model/agentBodies.js';

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
}): Record<string, unknown> {
  return {
    edge_agent_id: parts.agentId,
    last_command_id: parts.lastCommandId,
    pending_events: parts.events,
    command_acks: parts.acks,
    status: { active_rules: 0, ...parts.status },
  };
}
