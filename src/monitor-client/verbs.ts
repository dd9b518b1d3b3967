import type { Status } from './frames.js';

/** Times are ISO 8601; null: not yet. Numbers and addresses are masked. */
export interface CommandEntry {
  command_id: string;
  command_type: string;
  via: string;
  state: 'open' | 'completed' | 'failed';
  received_at: string;
  acked_at: string | null;
  ack_read_at: string | null;
  ack_read_via: string | null;
  error: string | null;
}

export interface CommandDetail extends CommandEntry {
  revision: number;
  result: Record<string, unknown> | null;
  schedule: { schedule_id: string; send_at: string; status: string } | null;
  texts: {
    conversation: string;
    characters: number;
    file: string | null;
    state: string;
    attempts: number;
    paused: boolean;
    guid: string | null;
    service: string | null;
    error: string | null;
  }[];
  timeline: { at: string; step: string; detail: string }[];
}

export interface ScheduleEntry {
  schedule_id: string;
  command_id: string;
  conversation: string;
  send_at: string;
  status: string;
  characters: number;
  files: number;
  error: string | null;
  /** Only if asked for. */
  text?: string;
}

/** A message that was put aside because the backend refused it. */
export interface QueueEntry {
  guid: string;
  conversation: string;
  sent_at: string;
  parked_at: string;
  attempts: number;
  error: string | null;
}

export interface Bubble {
  id: string;
  direction: 'in' | 'out';
  sender: string;
  at: string;
  state: string;
  characters: number;
  /** Null unless texts were asked for. */
  text: string | null;
}

/** `conversation` is what `pause` takes, `name` is masked. */
export interface Conversation {
  conversation: string;
  name: string;
  paused: boolean;
  messages: Bubble[];
}

export type LinkWord = 'realtime' | 'polling' | 'offline' | 'stopped';

/** `p50Ms` and `p95Ms` are null where nothing was sent. A bucket counts up to its bound; null is no bound. */
export interface SendStatistics {
  hours: { from: string; sent: number; failed: number; unknown: number }[];
  latency: {
    buckets: { upToMs: number | null; count: number }[];
    p50Ms: number | null;
    p95Ms: number | null;
  };
}

export interface LogLine {
  at: string;
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

export type Verdict = 'PASS' | 'WARN' | 'FAIL' | 'SKIP';

/** `at` is null if nobody has run `edge-agent doctor` yet. */
export interface DoctorReport {
  at: string | null;
  summary?: Record<Verdict, number>;
  checks?: {
    id: string;
    title: string;
    verdict: Verdict;
    evidence: string;
    remedy?: string;
    /** The counts behind the evidence, where a check looks at several things (`chatdb-forms`). */
    details?: readonly {
      id: string;
      result: 'agrees' | 'contradicted' | 'absent';
      agree: number;
      contradict: number;
      counts?: Record<string, number>;
    }[];
  }[];
}

export interface Setting {
  key: string;
  value: unknown;
  /** Where the value comes from: default, file, env, dotenv, remote … */
  source: string;
}

/** Everything that can be asked for: what goes with the question, and what comes back. */
export interface Verbs {
  status: { args: object; result: Status };
  config: { args: object; result: Setting[] };
  'commands.list': { args: { limit?: number; open?: boolean }; result: CommandEntry[] };
  'commands.show': { args: { id: string }; result: CommandDetail };
  'schedule.list': { args: { all?: boolean; texts?: boolean }; result: ScheduleEntry[] };
  'schedule.cancel': {
    args: { id: string };
    result: { cancelled: true; schedule_id: string } | { cancelled: false; status: string };
  };
  'queue.list': { args: object; result: QueueEntry[] };
  'queue.retry': { args: { guid: string }; result: string[] };
  'queue.drop': { args: { guid: string }; result: string[] };
  pause: {
    args: { conversation?: string; incoming?: boolean };
    result: { conversation: string; changed: boolean };
  };
  resume: {
    args: { conversation?: string; incoming?: boolean };
    result: { resumed: string[]; stillPaused: string[] };
  };
  'link.history': { args: object; result: { changes: { at: string; state: LinkWord }[] } };
  conversations: { args: { limit?: number; messages?: number; texts?: boolean }; result: Conversation[] };
  'sends.statistics': { args: object; result: SendStatistics };
  'logs.tail': { args: { lines?: number; level?: 'info' | 'warn' | 'error' }; result: LogLine[] };
  doctor: { args: object; result: DoctorReport };
}

export type Verb = keyof Verbs;
