import type { Presence, Topic } from '../model/clientFrames.js';
import type { ServerFrame, ServerFrames } from '../model/monitorFrames.js';
import type { MonitorApi, MonitorVerb } from '../model/operatorApi.js';
import { backoff } from './backoff.js';
import { Connection } from './Connection.js';
import { type ClientClock, type ClientTimer, platformClock } from './clock.js';
import { describeEnding, type Ending, needsNewToken, wantsCalm } from './closing.js';
import { Listeners } from './Listeners.js';
import { disconnected, OpenRequests } from './OpenRequests.js';
import { platformWebSocket, type WebSocketConstructor } from './WebSocketLike.js';

/** `why` is for a person. `refused`: this token is no good, and there is no other; `connect` with another client. */
export type ConnectionState =
  | { name: 'idle' }
  | { name: 'connecting'; attempt: number }
  | { name: 'online'; userId: string }
  | { name: 'waiting'; attempt: number; retryMs: number; why: string }
  | { name: 'refused'; why: string };

export interface MonitorClientOptions {
  /** Without the token: `ws://127.0.0.1:3100/ws`. Or what finds it out: it is asked at each attempt. */
  url: string | (() => string | Promise<string>);
  /** Or what gets one: it is asked at each attempt, so that a refused token is followed by a new one. */
  token: string | (() => string | Promise<string>);
  /** Where the platform has none (Node before 22): the one of the package `ws`. */
  WebSocket?: WebSocketConstructor;
  /** Topics in addition to the standard frames; default: none. */
  topics?: readonly Topic[];
  /** The presence shown to others; default `online`. */
  presence?: Presence;
  /** How long a request may take; default 10 s. */
  requestTimeoutMs?: number;
  clock?: ClientClock;
}

/** What can be listened to: `state`, and the data of every frame by its type. */
export type MonitorEvents = Omit<ServerFrames, 'ping' | 'pong' | 'response'> & { state: ConnectionState };

/** A connection that lasted this long resets the waits. */
const STEADY_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * The client of the monitor: connects, and connects again until `close`; keeps presence and topics over reconnects. Never
 * throws for what the network or the agent does. What was missed while disconnected is not sent again: ask for it.
 */
export class MonitorClient {
  private readonly listeners = new Listeners<MonitorEvents>();
  private readonly requests: OpenRequests;
  readonly clock: ClientClock;
  private readonly WebSocket: WebSocketConstructor;
  private current: ConnectionState = { name: 'idle' };
  private connection: Connection | undefined;
  private retry: ClientTimer | undefined;
  private failures = 0;
  private onlineAt: number | undefined;
  private round = 0;
  private presence: Presence;
  private topics: readonly Topic[];

  /** Throws a TypeError for a URL that is none, or where there is no WebSocket. */
  constructor(private readonly options: MonitorClientOptions) {
    if (typeof options.url === 'string') new URL(options.url);
    this.WebSocket = options.WebSocket ?? platformWebSocket();
    this.clock = options.clock ?? platformClock;
    this.presence = options.presence ?? 'online';
    this.topics = options.topics ?? [];
    this.requests = new OpenRequests(this.clock, options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** Listens to a type of frame, or to `state`. Returns what ends it. */
  on<Name extends keyof MonitorEvents>(
    name: Name,
    listener: (data: MonitorEvents[Name]) => void,
  ): () => void {
    return this.listeners.add(name, listener);
  }

  /** Begins, or tries again now instead of later; does nothing while it is connected or on its way there. */
  connect(): void {
    if (this.current.name === 'connecting' || this.current.name === 'online') return;
    this.retry?.cancel();
    this.round += 1;
    void this.attempt(this.round);
  }

  /** Ends the connection and all attempts; waiting requests are rejected. `connect` starts again. */
  close(): void {
    this.round += 1;
    this.retry?.cancel();
    this.connection?.close();
    this.connection = undefined;
    this.failures = 0;
    this.requests.disconnected();
    if (this.current.name !== 'idle') this.become({ name: 'idle' });
  }

  /** Sends the presence to the others; repeated after each reconnect. */
  setPresence(presence: Presence): void {
    this.presence = presence;
    if (this.current.name === 'online') this.connection?.send({ type: 'user_presence', data: presence });
  }

  /** Replaces the topics; subscribed again after each reconnect. */
  subscribe(topics: readonly Topic[]): void {
    this.topics = topics;
    if (this.current.name === 'online')
      this.connection?.send({ type: 'subscribe', data: { topics: [...topics] } });
  }

  /** Asks the agent. Rejects with MonitorError: the agent's own fault, `disconnected` or `no_answer`. */
  async request<V extends MonitorVerb>(
    verb: V,
    args: MonitorApi[V]['args'],
  ): Promise<MonitorApi[V]['result']> {
    const { connection } = this;
    if (this.current.name !== 'online' || connection === undefined) throw disconnected();
    return (await this.requests.start((id) => {
      if (!connection.send({ type: 'request', data: { id, verb, args } })) this.requests.disconnected();
    })) as MonitorApi[V]['result'];
  }

  private async attempt(round: number): Promise<void> {
    this.become({ name: 'connecting', attempt: this.failures + 1 });
    const { token, url } = this.options;
    try {
      const [where, shown] = [await got(url), await got(token)];
      if (round !== this.round) return;
      this.connection = new Connection(
        `${where}?token=${encodeURIComponent(shown)}`,
        this.WebSocket,
        this.clock,
        {
          frame: (frame) => this.onFrame(frame),
          ended: (ending) => this.lost(ending),
        },
      );
    } catch (error) {
      if (round === this.round) this.wait(error instanceof Error ? error.message : String(error), false);
    }
  }

  private onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'auth':
        this.judged(frame.data);
        return;
      case 'response':
        this.requests.answered(frame.data);
        return;
      case 'ping':
      case 'pong':
        return;
      default:
        this.listeners.emit(frame.type, frame.data as never);
    }
  }

  private judged(auth: ServerFrames['auth']): void {
    if (!auth.success) {
      this.connection?.close();
      this.refused(auth.error);
    } else {
      this.onlineAt = this.clock.monotonic();
      if (this.topics.length > 0)
        this.connection?.send({ type: 'subscribe', data: { topics: [...this.topics] } });
      this.connection?.send({ type: 'user_presence', data: this.presence });
      this.become({ name: 'online', userId: auth.userId });
    }
    this.listeners.emit('auth', auth);
  }

  private lost(ending: Ending): void {
    const wasOnline = this.onlineAt !== undefined;
    const why = describeEnding(ending, wasOnline);
    if (needsNewToken(ending)) this.refused(why);
    else this.wait(why, wantsCalm(ending));
  }

  /** If another token can be obtained, it is tried again. */
  private refused(why: string): void {
    if (typeof this.options.token === 'function') {
      this.wait(why, false);
      return;
    }
    this.disconnect();
    this.become({ name: 'refused', why });
  }

  private wait(why: string, calm: boolean): void {
    const held = this.onlineAt !== undefined && this.clock.monotonic() - this.onlineAt >= STEADY_MS;
    this.failures = held ? 1 : this.failures + 1;
    this.disconnect();
    const retryMs = Math.round(backoff(this.failures, this.clock.chance(), calm));
    const { round } = this;
    this.retry = this.clock.after(retryMs, () => void this.attempt(round));
    this.become({ name: 'waiting', attempt: this.failures, retryMs, why });
  }

  private disconnect(): void {
    this.connection = undefined;
    this.onlineAt = undefined;
    this.requests.disconnected();
  }

  private become(state: ConnectionState): void {
    this.current = state;
    this.listeners.emit('state', state);
  }
}

async function got(given: string | (() => string | Promise<string>)): Promise<string> {
  return typeof given === 'string' ? given : given();
}
