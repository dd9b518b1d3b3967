import type { AckBody, WireEvent } from '../model/agentBodies.js';

/** What this room needs of the configuration. Read anew at each use, so that live changes apply. */
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

/** Read anew at each use: a corrected `.env` counts from the next request on. */
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

/** A durable queue, oldest first by `seq`; `afterInsert` tells after the commit and returns its unsubscribe. */
export interface Queue<Item> {
  after(seq: number, limit: number): Item[];
  has(seq: number): boolean;
  clear(seqs: readonly number[]): void;
  count(): number;
  afterInsert(listener: () => void): () => void;
}

/** What this room needs of the agent's store. All calls are synchronous and durable. */
export interface BackendStore {
  /** One durable commit; a nested write joins the outer one. */
  write<T>(work: () => T): T;
  readonly meta: {
    get(key: string): string | undefined;
    set(key: string, value: string): void;
    delete(key: string): void;
  };
  /**
   * `clear` is told by which channel the backend read them; by the socket unless said otherwise. Earlier acks of the same command
   * are cleared with it.
   */
  readonly acks: Queue<QueuedAck> & { clear(seqs: readonly number[], via?: 'websocket' | 'http'): void };
  readonly events: Queue<QueuedEvent> & { clearIds(ids: readonly string[]): void };
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
