import type { ErrorCode } from '../errors.js';

/** Something that keeps the agent from its whole job. `since` is ISO 8601. */
export interface Problem {
  code: ErrorCode;
  since: string;
  message: string;
  remedy: string;
}

/** The line to the backend. Times are ISO 8601. */
interface LinkStatus {
  state: string;
  since: string;
  attempt: number;
  rtt_ms: number | null;
  last_pong_at: string | null;
  reconnects_24h: number;
  next_attempt_at: string | null;
  poller: 'running' | 'paused' | 'off';
  last_disconnect: { cause: string; at: string } | null;
}

/** `conversation` is what `edge-agent resume` takes; `*` stands for all. `since` is ISO 8601. */
interface PausedConversation {
  conversation: string;
  reason: 'manual' | 'operator' | 'loop';
  since: string;
  /** Incoming messages wait there as well. */
  incoming: boolean;
}

/**
 * What the agent says of itself: to the backend (protocol `status` frames), to `edge-agent status --json`. Fields are
 * only ever added.
 */
export interface StatusSnapshot {
  schema: 1;
  version: string;
  agent_id: string | null;
  pid: number;
  uptime_seconds: number;
  state: 'healthy' | 'degraded';
  problems: Problem[];
  link: 'realtime' | 'polling' | 'offline';
  link_detail: LinkStatus;
  scheduled_messages: number;
  commands_waiting: number;
  acks_undelivered: number;
  events_undelivered: number;
  incoming_queued: number;
  incoming_parked: number;
  /** Given up in the last 7 days because they were too old to be answered. */
  incoming_expired: number;
  sends_queued: number;
  /** Those of them that wait for a limit of `outgoing`. */
  sends_held: { new_recipients: number; per_minute: number };
  /** Images that the backend does not have yet. */
  uploads_queued: number;
  incoming_left_out: Record<string, number>;
  /** Messages since the start whose attributedBody was damaged, so that their text was saved by other means. */
  decode_fallbacks: number;
  /** Where nothing goes out until it is resumed. */
  paused: PausedConversation[];
  last_incoming_at: string | null;
  last_sent_at: string | null;
  last_error: string | null;
  last_error_at: string | null;
  /** When the next scheduled text is due. */
  next_scheduled_at: string | null;
  /** Since when the oldest of each kind has been waiting; the names are those of the counts. */
  oldest: Record<
    | 'commands_waiting'
    | 'acks_undelivered'
    | 'events_undelivered'
    | 'incoming_queued'
    | 'incoming_parked'
    | 'sends_queued'
    | 'uploads_queued',
    string | null
  >;
  /** How far chat.db was read (its ROWID), and how many rows are behind that; null: nobody can tell. */
  chatdb: { row_id: number | null; rows_behind: number | null };
  memory_usage_mb: number;
  /** The local real-time channel: its port (null: not served), and who is connected. */
  monitor: { port: number | null; connected: number; authenticated: number };
}
