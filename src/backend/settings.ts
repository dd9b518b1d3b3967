import { httpBase, webSocketUrl } from '../config/backendUrls.js';
import type { Config } from '../config/schema.js';
import type { Logger } from '../logging/Logger.js';
import type { AckBody, WireEvent } from '../model/agentBodies.js';
import type { Command } from '../model/command.js';
import type { SharedWrite } from '../store/writes.js';
import type { Circuit } from '../system/Circuit.js';
import type { Clock } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import type { Random } from '../system/random.js';
import { type LinkRules, PROTOCOL_RULES } from './linkTypes.js';

/** The settings that this folder needs. Read at each use, so that live changes apply. */
export interface BackendSettings {
  readonly edgeAgentId?: string | undefined;
  /** E.164. */
  readonly userPhone: string;
  readonly appleId?: string | undefined;
  /** `https://host[/prefix]`; a path prefix is kept. */
  readonly httpBase: string;
  /** `wss://host[/prefix]/edge/ws?edge_agent_id=…`. */
  webSocketUrl(agentId: string): string;
  readonly syncIntervalSeconds: number;
  readonly requestTimeoutSeconds: number;
  /** 0 = no safety sync. */
  readonly safetySyncSeconds: number;
  readonly websocketEnabled: boolean;
  /** Failures in a row after which the link is reported degraded; 0 = never. */
  readonly reconnectAttempts: number;
  readonly pingIntervalSeconds: number;
  readonly authMode: 'hmac' | 'secret';
  readonly allowPlainSecret: boolean;
}

/** Read at each use: a corrected `.env` applies from the next request on. */
export interface BackendSecrets {
  readonly edgeSecret?: string | undefined;
  readonly edgeToken?: string | undefined;
  readonly registrationToken?: string | undefined;
}

/** An ack as the store keeps it until the backend provably read it. */
export interface QueuedAck {
  readonly seq: number;
  readonly commandId: string;
  readonly revision: number;
  readonly body: AckBody;
}

/** An event as the store keeps it until the backend has it. */
export interface QueuedEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly eventType: string;
  readonly threadId?: string | null | undefined;
  readonly details: Record<string, unknown>;
  /** ISO 8601. */
  readonly timestamp: string;
}

/**
 * A durable queue, oldest first by `seq`; `afterInsert` calls its listener after the commit and returns the unsubscribe
 * function.
 */
export interface Queue<Item> {
  after(seq: number, limit: number): Item[];
  clear(seqs: readonly number[]): void;
  count(): number;
  afterInsert(listener: () => void): () => void;
}

/** What this room needs of the agent's store. All calls are synchronous and durable. */
export interface BackendStore {
  /** One durable commit; a nested write joins the outer one. */
  write<T>(work: () => T): T;
  /** Makes a write that may be one commit with others until `togetherUntil` has called what it is given. */
  share(write: SharedWrite): void;
  togetherUntil(atEnd: (end: () => void) => void): void;
  readonly meta: {
    get(key: string): string | undefined;
    set(key: string, value: string): void;
    delete(key: string): void;
  };
  /**
   * `clear` gets the channel by which the backend read them; by default the socket. Earlier acks of the same command
   * are cleared with it.
   */
  readonly acks: Queue<QueuedAck> & {
    has(commandId: string, revision: number): boolean;
    clear(seqs: readonly number[], via?: 'websocket' | 'http'): void;
  };
  readonly events: Queue<QueuedEvent> & {
    has(seq: number): boolean;
    clearIds(ids: readonly string[]): void;
  };
}

/** The event as protocol §6 writes it. */
export function wireEvent(event: QueuedEvent): WireEvent {
  return {
    event_id: event.eventId,
    event_type: event.eventType,
    ...(event.threadId ? { thread_id: event.threadId } : {}),
    details: event.details,
    timestamp: event.timestamp,
  };
}

/** Every wait of the room, in ms; the defaults are the protocol's. */
export interface Timings {
  readonly link: Partial<LinkRules>;
  readonly registration: {
    /** How long the first attempt may hold back the link. */
    readonly firstMs: number;
    readonly retryMs: { readonly first: number; readonly longest: number };
  };
  /** The first poll after the start: a socket that opens meanwhile makes it needless. */
  readonly firstPollMs: number;
  /** Between syncs with events while there is a live socket. */
  readonly eventSyncMs: number;
  /** An ack without pong for this long also goes by HTTP. */
  readonly ackOverdueMs: number;
  /** Between posts of acks that fail. */
  readonly ackRetryMs: { readonly first: number; readonly longest: number };
  readonly statusEveryMs: number;
  readonly lastSyncMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  link: {},
  registration: { firstMs: 5_000, retryMs: { first: 1_000, longest: 60_000 } },
  firstPollMs: 1_000,
  eventSyncMs: 15_000,
  ackOverdueMs: 30_000,
  ackRetryMs: { first: 1_000, longest: 60_000 },
  statusEveryMs: 300_000,
  lastSyncMs: 2_000,
};

/**
 * The link's rules with the operator's ping interval, created again only when that changes, because they are read for
 * each frame.
 */
export function linkRules(
  overrides: Partial<LinkRules>,
  settings: () => { readonly pingIntervalSeconds: number },
): () => LinkRules {
  let rules: LinkRules = { ...PROTOCOL_RULES, ...overrides };
  return () => {
    const pingIntervalMs = overrides.pingIntervalMs ?? settings().pingIntervalSeconds * 1_000;
    if (rules.pingIntervalMs !== pingIntervalMs) rules = { ...rules, pingIntervalMs };
    return rules;
  };
}

/** The configuration as the backend room wants it. */
export function backendSettings(config: Config): BackendSettings {
  return {
    edgeAgentId: config.edge.agent_id,
    userPhone: config.edge.user_phone,
    appleId: config.edge.apple_id,
    httpBase: httpBase(config),
    webSocketUrl: (agentId) => webSocketUrl(config, agentId),
    syncIntervalSeconds: config.backend.sync_interval_seconds,
    requestTimeoutSeconds: config.backend.request_timeout_seconds,
    safetySyncSeconds: config.backend.safety_sync_seconds,
    websocketEnabled: config.websocket.enabled,
    reconnectAttempts: config.websocket.reconnect_attempts,
    pingIntervalSeconds: config.websocket.ping_interval_seconds,
    authMode: config.auth.mode,
    allowPlainSecret: config.auth.allow_plain_secret,
  };
}

/** All that the room needs from outside. */
export interface BackendOptions {
  /** Read at each use: live changes apply at once. */
  readonly config: () => BackendSettings;
  /** Read at each use: a corrected `.env` counts from the next request on. */
  readonly secrets: () => BackendSecrets;
  /** How other machines are reached. */
  readonly outbound: Outbound;
  readonly version: string;
  readonly platform: NodeJS.Platform;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: BackendStore;
  /** Gets the results of requests, except those about files; while it is open, acks wait for it. */
  readonly circuit?: Circuit;
  /**
   * Durable when it returns, or, of what came by the socket, at the end of this turn of the loop. A throw means "not stored": nothing is
   * acked and the backend offers them again.
   */
  readonly inbox: { receive(commands: readonly Command[], via: 'websocket' | 'http'): void };
  /**
   * Calls its argument at the end of this turn of the loop: what pongs prove in it shares one commit with the other
   * writes of that turn. Immediately if left out.
   */
  readonly atTurnEnd?: (work: () => void) => void;
  /** Protocol §7. */
  readonly snapshot: () => Record<string, unknown>;
  readonly onConfigUpdate: (settings: Record<string, unknown>) => void;
  /** Waits other than the protocol's, for tests. */
  readonly timings?: Partial<Timings>;
}
