import type { ChatMessage, NotificationLevel } from './monitorFrames.js';
import type { StatusSnapshot } from './status.js';

/*
 * Everything that an operator can ask of a running agent, by the status socket (`edge-agent …`) or by the monitor (the page and
 * its client). Times are ISO 8601, null: not yet. Handles are masked where nothing else is said.
 */

/** A command as the operator sees it: without its text. */
export interface CommandEntry {
  command_id: string;
  command_type: string;
  /** websocket, http or operator. */
  via: string;
  state: 'open' | 'completed' | 'failed';
  received_at: string;
  acked_at: string | null;
  /** When the backend provably read the newest ack, and by which channel. */
  ack_read_at: string | null;
  ack_read_via: string | null;
  error: string | null;
}

/** One text or file that a command had sent. `name`: a contact's (`contacts.enabled`) or a group's, null if none is known. */
export interface TextEntry {
  conversation: string;
  name: string | null;
  characters: number;
  file: string | null;
  /** A SendState. */
  state: string;
  /** How often its sending was begun. */
  attempts: number;
  /** Nothing is sent in its conversation until it is resumed. */
  paused: boolean;
  guid: string | null;
  service: string | null;
  error: string | null;
}

/** One step in the life of a command. `detail` is for a person and has no text and no full number. */
export interface TimelineStep {
  at: string;
  step:
    | 'received'
    | 'scheduled'
    | 'queued'
    | 'claimed'
    | 'handed_over'
    | 'sent'
    | 'confirmed'
    | 'deduplicated'
    | 'failed'
    | 'unknown'
    | 'cancelled'
    | 'acked'
    | 'ack_read';
  detail: string;
}

/** A command with everything that is known of its life, the earliest step first. */
export interface CommandDetail extends CommandEntry {
  revision: number;
  /** What the ack says for programs: `outcome`, `retry_safe` … */
  result: Record<string, unknown> | null;
  schedule: { schedule_id: string; send_at: string; status: string } | null;
  texts: TextEntry[];
  timeline: TimelineStep[];
}

/** A scheduled text. `name` as in `TextEntry`. */
export interface ScheduleEntry {
  schedule_id: string;
  command_id: string;
  conversation: string;
  name: string | null;
  send_at: string;
  /** pending, sending, sent, failed or cancelled. */
  status: string;
  characters: number;
  files: number;
  error: string | null;
  /** Only if asked for. */
  text?: string;
}

/** `cancelled`, or the state in which it cannot be cancelled any more. */
export type CancelAnswer = { cancelled: true; schedule_id: string } | { cancelled: false; status: string };

/** A message that was set aside because the backend refused it. `name` as in `TextEntry`. */
export interface QueueEntry {
  guid: string;
  conversation: string;
  name: string | null;
  sent_at: string;
  parked_at: string;
  attempts: number;
  error: string | null;
}

/**
 * `conversation` is its canonical key, `*` for all. `known`: chat.db has it; null if chat.db cannot be read. `changed`: it
 * was not paused before, or not so far.
 */
export interface PauseAnswer {
  conversation: string;
  known: boolean | null;
  changed: boolean;
}

/** `stillPaused`: what is paused now, `*` being everything. */
export interface ResumeAnswer {
  resumed: string[];
  stillPaused: string[];
}

/** A setting with its value and where that comes from: default, file, env, dotenv, remote … */
export interface SettingInForce {
  key: string;
  value: unknown;
  source: string;
  /** What it does, for a person. */
  description: string;
  /** Whether a change needs a restart. */
  restart: boolean;
  /** What it will be after a restart, where that is something else. */
  pending?: unknown;
}

/** How the agent's process was started; requested by `doctor`, never sent to the backend. */
export interface RuntimeAnswer {
  readonly node_path: string;
  readonly node_version: string;
  /** Whether launchd or the like started it, not a terminal. Agents of before do not say. */
  readonly is_service?: boolean;
}

/**
 * Whether macOS lets the agent's process control Messages. `undecided`: it would ask a person first. `not_running`: it does not say
 * while Messages does not run. `unknown`: it could not be asked. `isDialogOpen`: a dialog on the screen asks for it.
 */
export interface AutomationAnswered {
  readonly permission: 'granted' | 'denied' | 'undecided' | 'not_running' | 'unknown';
  readonly isDialogOpen: boolean;
}

/** What Messages says of its iMessage accounts, in counts. `notAllowed`: macOS does not let who asks control Messages. */
export type AccountsFound =
  | { readonly kind: 'told'; readonly accounts: number; readonly enabled: number; readonly connected: number }
  | { readonly kind: 'notAllowed' }
  | { readonly kind: 'failed'; readonly why: string };

/** Whether the dispatch marker was in its file before what follows it began, `ms` after the start of osascript. */
export type MarkerProof =
  | { readonly proven: true; readonly ms: number }
  | { readonly proven: false; readonly why: string };

/** What the selftest sends, with eight hexadecimal digits behind it: letters that a wrong encoding would spoil. */
export const SELFTEST_WORDS = 'edge-agent selftest: é, “quotes” and 👋';

/** The state of a text of the selftest. `state` is a SendState. */
interface SelftestText {
  readonly state: string;
  readonly attempts: number;
  readonly error_code: string | null;
  readonly error: string | null;
}

/** By which way the backend was reached; `stopped`: the agent did not run. */
export type LinkWord = StatusSnapshot['link'] | 'stopped';

/** A message of a conversation. `sender` is masked unless texts were requested; for sent messages it is `agent` or `operator`. */
export interface Bubble {
  id: string;
  direction: 'in' | 'out';
  sender: string;
  at: string;
  /** Received: open, answered, parked, expired. Sent: a SendState. */
  state: string;
  characters: number;
  /** Null unless texts were asked for. */
  text: string | null;
  /** When it was answered or given up; for sent messages, when its outcome was known. */
  settled_at: string | null;
  /** How often it was posted to the backend, or handed to Messages. */
  attempts: number;
  /** For sent messages: iMessage, SMS …, and the command that requested it. */
  service: string | null;
  command_id: string | null;
  /** Why it was set aside, was not sent, or is tried again. */
  error: string | null;
}

/** `conversation` is its canonical key, as `pause` takes it; `name` is for showing: a contact's or group's, else masked. */
export interface Conversation {
  conversation: string;
  name: string;
  paused: boolean;
  /** Messages that the backend has not answered yet, messages that were set aside, and texts that are not sent yet. */
  waiting: number;
  parked: number;
  unsent: number;
  /** When something was said there last. */
  last_at: string | null;
  /** The oldest first. */
  messages: Bubble[];
}

/** A conversation with what is scheduled there. */
export interface ConversationDetail extends Conversation {
  scheduled: ScheduleEntry[];
}

/** Texts by how they ended, in the hour that begins at `from`. */
export interface HourOfSends {
  from: string;
  sent: number;
  failed: number;
  unknown: number;
}

/** Of texts that were sent: how long from being stored to the proof in chat.db. Null where nothing was sent. */
export interface SendLatency {
  /** A bucket counts up to its bound; `upToMs` null: longer than all others. */
  buckets: { upToMs: number | null; count: number }[];
  p50Ms: number | null;
  p95Ms: number | null;
}

export interface SendStatistics {
  /** The last 24, the newest one last. */
  hours: HourOfSends[];
  latency: SendLatency;
}

/** The hour that begins at `from`: messages that came in, how often the link came back, and the mean round trip; null: no ping. */
export interface HourOfWork {
  from: string;
  received: number;
  reconnects: number;
  rttMs: number | null;
}

/** The last 24 hours, the newest one last; nothing is known of what was before `since`. */
export interface DayOfWork {
  since: string;
  hours: HourOfWork[];
}

/** Notifications as sent to the clients at that time; handles are masked. */
export interface PastNotification {
  at: string;
  level: NotificationLevel;
  message: string;
}

export interface LogLine {
  at: string;
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

/** WARN: works, but not as well as it should, or could not be proven. SKIP: does not apply, or was not asked for. */
export type CheckVerdict = 'PASS' | 'WARN' | 'FAIL' | 'SKIP';

/** One of several things that a check looked at, in counts. `counts` are named in lowerCamelCase. */
export interface CheckDetail {
  readonly id: string;
  readonly result: 'agrees' | 'contradicted' | 'absent';
  readonly agree: number;
  readonly contradict: number;
  readonly counts?: Readonly<Record<string, number>>;
}

/** What `edge-agent doctor` or `selftest` found last; `at` is null if neither was ever asked. */
export interface DoctorReport {
  at: string | null;
  /** The monitor asked for a new one, which is on its way. */
  running?: boolean;
  summary?: Record<CheckVerdict, number>;
  checks?: {
    id: string;
    title: string;
    verdict: CheckVerdict;
    evidence: string;
    remedy?: string;
    details?: readonly CheckDetail[];
  }[];
}

/** What came of a test of the alerts: what each configured channel did. */
export interface AlertsTested {
  readonly schema: 1;
  readonly id: string;
  readonly channels: readonly {
    readonly channel: 'webhook' | 'notification';
    readonly kind: 'delivered' | 'failed' | 'refused';
    readonly detail?: string;
  }[];
}

/**
 * Texts after a cursor, the oldest first, at most 100. `cursor` is for the next request; there are no more once no
 * texts are returned. `gap`: why some are missing before or among them (`not_kept`), or why they begin with the oldest
 * that is kept (`unknown_cursor`).
 */
export interface TextsSince {
  texts: (ChatMessage & { cursor: string })[];
  cursor: string;
  gap: 'not_kept' | 'unknown_cursor' | null;
}

type Nothing = Record<never, never>;

/** What may be asked by the status socket and by the monitor. */
interface SharedApi {
  status: { args: Nothing; result: StatusSnapshot };
  config: { args: Nothing; result: SettingInForce[] };
  'commands.list': { args: { limit?: number; open?: boolean }; result: CommandEntry[] };
  /** With `texts` handles are whole, here and in the other lists. */
  'commands.show': { args: { id: string; texts?: boolean }; result: CommandDetail };
  'schedule.list': { args: { all?: boolean; texts?: boolean }; result: ScheduleEntry[] };
  'schedule.cancel': { args: { id: string }; result: CancelAnswer };
  'queue.list': { args: { texts?: boolean }; result: QueueEntry[] };
  conversations: { args: { limit?: number; messages?: number; texts?: boolean }; result: Conversation[] };
  /** Named as a command names it, masked, by its name, or by the beginning of its id. */
  'conversations.show': {
    args: { conversation: string; messages?: number; texts?: boolean };
    result: ConversationDetail;
  };
  /** The guids that were set aside and are posted again; `all` as a guid means every one. */
  'queue.retry': { args: { guid: string }; result: string[] };
  'queue.drop': { args: { guid: string }; result: string[] };
  pause: { args: { conversation?: string; incoming?: boolean }; result: PauseAnswer };
  resume: { args: { conversation?: string; incoming?: boolean }; result: ResumeAnswer };
}

/** What may be asked by the status socket: what goes with the question, and what comes back. */
export interface OperatorApi extends SharedApi {
  /** Answered only by a service that waits until it can run: the path of the configuration that it waits for. */
  waiting: { args: Nothing; result: { config: string } };
  runtime: { args: Nothing; result: RuntimeAnswer };
  /** The keys that were dropped. */
  'config.reset-remote': { args: Nothing; result: string[] };
  'conversation.key': { args: { conversation: string }; result: string };
  kick: { args: Nothing; result: null };
  send: {
    args: { to: string; text: string; at?: string; file?: { path: string; filename: string } };
    result: CommandDetail;
  };
  /** Its id, for `selftest.text`. */
  'selftest.send': { args: { text: string }; result: { id: string } };
  'selftest.text': { args: { id: string }; result: SelftestText };
  /** `raise`: a person is at the screen, so macOS shows its dialog if this is not decided yet. Ends within 10 s. */
  automation: { args: { raise?: boolean }; result: AutomationAnswered };
  /** Ends within 20 s. */
  marker: { args: Nothing; result: MarkerProof };
  /** By how much the latest timer of the agent was late, of those of 2 s. */
  timers: { args: Nothing; result: { readonly worst_ms: number } };
  /** Sends nothing and raises no dialog. Ends within 25 s. */
  accounts: { args: Nothing; result: AccountsFound };
  /** Ends within 15 s. */
  'alerts.test': { args: Nothing; result: AlertsTested };
  /** How many sessions were ended. */
  'monitor.rotate': { args: Nothing; result: { ended: number } };
}

/** What may be asked by the monitor. */
export interface MonitorApi extends SharedApi {
  'link.history': { args: Nothing; result: { changes: { at: string; state: LinkWord }[] } };
  'sends.statistics': { args: Nothing; result: SendStatistics };
  'work.statistics': { args: Nothing; result: DayOfWork };
  'logs.tail': { args: { lines?: number; level?: 'info' | 'warn' | 'error' }; result: LogLine[] };
  /** Without a cursor: no texts, and the cursor of now. */
  'texts.since': { args: { cursor?: string }; result: TextsSince };
  'notifications.list': { args: Nothing; result: PastNotification[] };
  doctor: { args: Nothing; result: DoctorReport };
  /** Starts it; the event `doctor` reports its end. */
  'doctor.run': { args: Nothing; result: { running: true } };
}

export type OperatorVerb = keyof OperatorApi;

/** A question as it goes over the status socket. */
export type OperatorRequest<Verb extends OperatorVerb> = { verb: Verb } & OperatorApi[Verb]['args'];

/** What comes back of it. */
export type OperatorResult<Verb extends OperatorVerb> = OperatorApi[Verb]['result'];

export type MonitorVerb = keyof MonitorApi;

/** What goes with a question, as it came: the names are known, the values are not. */
type Unchecked<Args> = { readonly [Name in keyof Args]?: unknown };

/** Answers the verbs of an API; each checks what came with its question. */
export type Answers<Api extends { [Verb in keyof Api]: { args: object; result: unknown } }> = {
  readonly [Verb in keyof Api]: (args: Unchecked<Api[Verb]['args']>) => Api[Verb]['result'];
};
