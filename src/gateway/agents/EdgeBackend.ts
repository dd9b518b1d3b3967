import type { MessageReply } from '../../model/backendBodies.js';
import type { AgentConnection } from './AgentConnection.js';
import type { Ack, AgentEvent, ReportedStatus, WireCommand } from './frames.js';
import type { MessageBody, RegisterBody, SyncBody } from './requests.js';

/** The way something came to us: the socket, or the path of the request. */
export type Channel = 'websocket' | '/edge/sync' | '/edge/command/ack' | '/edge/ack_command';

/** The channel by which a command was sent. */
export type DeliveryWay = 'websocket' | 'polling';

/** One thing that an agent reports, in the order in which it came. */
export type AgentReport =
  | { readonly kind: 'command_ack'; readonly ack: Ack }
  | { readonly kind: 'event'; readonly event: AgentEvent }
  | { readonly kind: 'status'; readonly status: ReportedStatus };

/** What lets a new agent register: credentials that verify, for the agent that they name; or a token from its body. */
export type Admittance =
  | { readonly kind: 'credentials'; readonly agentId: string | undefined }
  | { readonly kind: 'invitation'; readonly token: string };

/** `authToken`: what the agent shows from now on, where it has no secret. */
export interface RegisteredAgent {
  readonly agentId: string;
  readonly authToken?: string;
}

/**
 * `later`: there is no answer yet, and the agent should retry. `stopping`: there will be none, and no one is answered.
 * `gone`: the caller has disconnected.
 */
export type MessageOutcome =
  | { readonly kind: 'answered'; readonly body: MessageReply }
  | { readonly kind: 'later'; readonly retryAfterSeconds?: number }
  | { readonly kind: 'stopping' | 'gone' };

/** A file of an incoming message. `fields` are those of the form. */
export interface Upload {
  /** `attachment_guid`: the idempotency key. */
  readonly guid: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly file: UploadedFile;
}

export interface UploadedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** A text that an operator has an agent send, and the command that says so to the agent. */
export interface OrderedText {
  readonly agentId: string;
  /** The caller's idempotency key, or a fresh id. */
  readonly commandId: string;
  readonly commandType: 'send_message_now' | 'schedule_message';
  readonly payload: Readonly<Record<string, unknown>>;
  readonly priority: string | undefined;
  readonly threadId: string;
  readonly text: string;
  /** Unix ms; null: now. */
  readonly sendAt: number | null;
  /** `AdminRights.name` of who orders it. */
  readonly orderedBy: string | null;
}

/**
 * `websocket`: sent as soon as it is stored. `polling`: kept for the next sync or connect. `known`: the same was ordered under this id
 * before. `reused`: something else was, and nothing is sent now.
 */
export interface OrderedTextOutcome {
  readonly commandId: string;
  readonly via: DeliveryWay | 'known' | 'reused';
}

/** What an admin key allows. */
export interface AdminRights {
  /** Names the key, without telling it; null where there is only one. */
  readonly name: string | null;
  readonly maySeeStats: boolean;
  maySend(agentId: string): boolean;
}

/** Commands of one agent, or of all. */
export interface CommandCounts {
  pending: number;
  acked: number;
}

/** Events that need no action. */
export type Sighting =
  | { readonly kind: 'connected'; readonly agentId: string; readonly replaced: boolean }
  /** `code` 1006: the socket went without a close frame. */
  | {
      readonly kind: 'disconnected';
      readonly agentId: string;
      readonly code: number;
      readonly reason: string;
    }
  /** A caller was refused; `code` is an HTTP status or a close code. */
  | { readonly kind: 'refused'; readonly path: string; readonly code: number; readonly reason: string }
  /** `delivered` false: the agent hung up before it had all of it. */
  | {
      readonly kind: 'reply';
      readonly agentId: string;
      readonly guid: string;
      readonly body: Readonly<Record<string, unknown>>;
      readonly delivered: boolean;
    }
  | {
      readonly kind: 'sync';
      readonly agentId: string;
      readonly body: SyncBody;
      readonly reply: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'ping'; readonly agentId: string }
  | { readonly kind: 'nonsense'; readonly agentId: string; readonly reason: string };

/**
 * The program behind an EdgeServer: it processes the reports of agents and provides their commands. The server has
 * verified the caller and the request; `agentId` is always the agent of the credentials. When a promise resolves, the
 * data is durable, because the agent then deletes its copy; a rejection is answered with 503 or 500 (a socket is
 * closed), and the agent retries.
 */
export interface EdgeBackend {
  /** The secrets that count for an agent now; none for one that is unknown. `agentId` undefined: the request names none. */
  secretsOf(agentId: string | undefined): Promise<readonly string[]>;

  /** What an admin key allows; undefined for one that is none. */
  operatorOf(adminKey: string): Promise<AdminRights | undefined>;

  /** Idempotent. Undefined: the invitation is none. */
  register(body: RegisterBody, by: Admittance): Promise<RegisteredAgent | undefined>;

  /** Stores what an agent reports: acks (the highest revision of a command counts), events (once by `event_id`), its status. */
  report(agentId: string, reports: readonly AgentReport[], channel: Channel): Promise<void>;

  /** What waits for an agent that syncs: every unacked command, oldest first, and settings if there are any. */
  handOut(agentId: string): Promise<{
    readonly commands: readonly WireCommand[];
    readonly settings?: Readonly<Record<string, unknown>>;
  }>;

  /** Answers an incoming message: each guid once, also if it is repeated. `hungUp`: the caller no longer waits. */
  answer(agentId: string, guid: string, message: MessageBody, hungUp: AbortSignal): Promise<MessageOutcome>;

  /** Keeps a file. Harmless to repeat. */
  upload(agentId: string, upload: Upload): Promise<void>;

  /** A socket is up: offers it every unacked command, oldest first. A rejection closes it, so that the agent connects again. */
  connected(connection: AgentConnection): Promise<void>;

  /** A socket that was up has ended. */
  disconnected(connection: AgentConnection, reason: string): void;

  /** Has an agent send a text. Idempotent by `commandId`. Undefined: there is no such agent. */
  send(text: OrderedText): Promise<OrderedTextOutcome | undefined>;

  /** Of all agents, and of each of those named. */
  counts(
    agentIds: readonly string[],
  ): Promise<{ all: CommandCounts; of: ReadonlyMap<string, CommandCounts> }>;

  /** Called in the same turn. */
  saw(sighting: Sighting): void;
}
