import { createServer, type Server } from 'node:http';
import type { WebSocket } from 'ws';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type {
  AgentStatus,
  ChatMessage,
  LiveEvent,
  LiveFact,
  NotificationLevel,
  ServerFrame,
} from '../model/monitorFrames.js';
import type { Problem } from '../model/problem.js';
import type { StatusSnapshot } from '../model/status.js';
import type { Clock, Timer } from '../system/clock.js';
import { HalfOpen } from '../system/HalfOpen.js';
import { Broadcast } from './Broadcast.js';
import { CLOSE, type Client } from './Client.js';
import { ClientFrames, type MonitorHandler } from './ClientFrames.js';
import { Clients, isKnown } from './Clients.js';
import { keepAlive } from './keepAlive.js';
import { LoopbackPort } from './LoopbackPort.js';
import type { MonitorSecret } from './MonitorSecret.js';
import { encodeFrame } from './monitorFrames.js';
import { PageHandler, type UseLink } from './PageHandler.js';
import { UpgradeHandler } from './UpgradeHandler.js';

interface MonitorOptions {
  port: number;
  secret: MonitorSecret;
  useLink: UseLink;
  pageDirectory: string;
  verbs: Readonly<Record<string, MonitorHandler>>;
  /** The current task of the agent; sent to new clients. */
  agentStatus: () => AgentStatus;
  /** The status snapshot, for those who subscribe. */
  status: () => StatusSnapshot;
  /** The first client with a valid token connected, or the last one left. */
  onWatched: (watched: boolean) => void;
  clock: Clock;
  log: Logger;
}

const SWEEP_MS = 1_000;
/** Of cut-off clients one line is written in so long. */
const LOGGED_EVERY_MS = 60_000;
/** In addition to the WebSockets a browser keeps a few connections; far above that nothing is accepted. */
const MOST_CONNECTIONS = 1_024;
/** Connections on which no request is being answered. */
const MOST_HALF_OPEN = 128;
const HEADERS_MS = 5_000;

/**
 * The local real-time channel: WebSocket, page and tokens on one loopback port. Nothing that a client does, and nothing
 * that is said to clients, throws into the agent or makes it wait.
 */
export class MonitorServer {
  private readonly clients = new Clients();
  private readonly broadcast: Broadcast;
  private readonly frames: ClientFrames;
  private readonly sockets: UpgradeHandler;
  private readonly pages: PageHandler;
  private readonly door: LoopbackPort;
  private sweeping: Timer | undefined;
  private abuses = { count: 0, loggedAt: Number.NEGATIVE_INFINITY };
  private stopped = false;

  constructor(private readonly options: MonitorOptions) {
    const { secret, useLink, clock, log, verbs, status, pageDirectory, port } = options;
    const onAbuse = (why: string) => this.noteAbuse(why);
    this.broadcast = new Broadcast(
      clock,
      () => this.clients.users(),
      () => onAbuse('it does not read'),
    );
    this.frames = new ClientFrames({
      clients: this.clients,
      broadcast: this.broadcast,
      verbs,
      status,
      clock,
      onAbuse,
    });
    this.sockets = new UpgradeHandler({
      secret,
      clock,
      clients: this.clients,
      onClient: (client, socket, refusal) => this.welcome(client, socket, refusal),
    });
    this.pages = new PageHandler({ secret, useLink, pageDirectory, clock });
    this.door = new LoopbackPort({ port, clock, log, server: () => this.httpServer() });
  }

  /** Resolves after the first try to listen; a port in use is reported, and retried. */
  async start(): Promise<void> {
    await this.door.start();
  }

  /** Says what is left to say, closes every connection with 1001. Ends within 1 s. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.broadcast.flush();
    this.broadcast.stop();
    this.sweeping?.cancel();
    this.sockets.close();
    for (const client of this.clients.all()) client.close(CLOSE.goingAway, 'The agent stops');
    await this.door.stop();
  }

  /** Whether a client with a valid token is connected: otherwise frames need not be created. */
  get isWatched(): boolean {
    return this.clients.authenticated > 0;
  }

  /** Whether a client subscribed to snapshots and events. */
  get hasSubscribers(): boolean {
    return this.clients.hasSubscribers;
  }

  counts(): { connected: number; authenticated: number } {
    const { connected, authenticated } = this.clients;
    return { connected, authenticated };
  }

  /** Where it is served; null while it is not. */
  get port(): number | null {
    return this.door.port;
  }

  fault(): Problem<number, 'monitor_unavailable'> | undefined {
    return this.door.fault();
  }

  /** To all connected clients; later ones get the status at their connection. */
  broadcastStatus(data: AgentStatus): void {
    if (!this.isWatched) return;
    const there = new Set(this.clients.users());
    this.broadcast.post({ type: 'agent_status', data }, (client) => there.has(client));
  }

  broadcastChatMessage(data: ChatMessage): void {
    if (this.isWatched) this.broadcast.post({ type: 'chat_message', data });
  }

  /** To all clients, or to every connection of one user; `by` is the user who did it. */
  sendNotification(level: NotificationLevel, message: string, userId?: string, by?: string): void {
    if (!this.isWatched) return;
    const data = { level, message, ...(by === undefined ? {} : { by }) };
    const frame: ServerFrame = { type: 'notification', data };
    this.broadcast.post(frame, ({ session }) => userId === undefined || session.userId === userId);
  }

  /** A live event for those who subscribed to its topic; `at` is Unix ms. */
  publish(fact: LiveFact, at: number): void {
    if (!this.isWatched) return;
    const data: LiveEvent = { at: new Date(at).toISOString(), ...fact };
    this.broadcast.post({ type: 'event', data }, ({ topics }) => topics.has(fact.topic));
  }

  /** The status for everybody who subscribed to anything. */
  publishSnapshot(status: StatusSnapshot): void {
    const data = { status, presence: this.clients.presences() };
    this.broadcast.post({ type: 'snapshot', data }, ({ topics }) => topics.size > 0);
  }

  /** Ends every session: the secret was rotated. Returns how many there were. */
  endSessions(): number {
    const users = this.clients.users();
    for (const client of users) client.close(CLOSE.expired, 'The secret was rotated: get a new token');
    return users.length;
  }

  private httpServer(): Server {
    const limits = { headersTimeout: HEADERS_MS, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 };
    const server = createServer(limits, (request, response) => this.pages.receive(request, response));
    server.maxConnections = MOST_CONNECTIONS;
    new HalfOpen(MOST_HALF_OPEN).watch(server);
    server.on('upgrade', (request, stream, head) => this.sockets.receive(request, stream, head));
    return server;
  }

  private welcome(client: Client, socket: WebSocket, refusal: string): void {
    const { clock, log } = this.options;
    // Before it is added to the receivers of changes, so that it gets it once.
    const status = isKnown(client) ? this.statusNow() : undefined;
    const wasWatched = this.isWatched;
    this.clients.add(client);
    socket.on('message', (data, isBinary) => this.frames.receive(client, data as Buffer, isBinary));
    socket.on('ping', () => this.frames.counted(client));
    socket.on('pong', () => this.frames.counted(client));
    socket.on('error', (error) => {
      log.debug('A monitor client failed', { cause: describeError(error) });
      client.failed();
    });
    socket.once('close', () => this.gone(client));
    this.sweeping ??= clock.after(SWEEP_MS, () => this.sweep());
    if (isKnown(client)) {
      const { userId } = client.session;
      const greeting: ServerFrame[] = [{ type: 'auth', data: { success: true, userId } }];
      if (status !== undefined) greeting.push({ type: 'agent_status', data: status });
      client.write(greeting.map((frame) => encodeFrame(frame, clock.now())));
      log.debug('A monitor client connected', { user: userId });
      if (!wasWatched) this.notifyWatched(true);
    } else {
      const frame: ServerFrame = { type: 'auth', data: { success: false, error: refusal } };
      client.write([encodeFrame(frame, clock.now())]);
    }
  }

  private gone(client: Client): void {
    this.clients.delete(client);
    if (!isKnown(client) || this.stopped) return;
    this.frames.broadcastPresence(client.session.userId);
    if (!this.isWatched) this.notifyWatched(false);
  }

  /** Undefined if it is not available now: the store may be unreadable, which only affects monitor clients. */
  private statusNow(): AgentStatus | undefined {
    return this.guarded(() => this.options.agentStatus());
  }

  private notifyWatched(watched: boolean): void {
    this.guarded(() => this.options.onWatched(watched));
  }

  /** A fault of what the agent is asked for ends neither the agent nor the connection. */
  private guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.options.log.debug('The agent could not send an update to the monitor', {
        cause: describeError(error),
      });
      return undefined;
    }
  }

  private sweep(): void {
    const { clock } = this.options;
    this.sweeping = undefined;
    for (const client of this.clients.all()) {
      if (keepAlive(client, clock) === 'warn' && isKnown(client)) {
        this.sendNotification(
          'warning',
          'Your session ends in 5 minutes: get a new token.',
          client.session.userId,
        );
      }
    }
    if (this.clients.connected > 0 && !this.stopped)
      this.sweeping = clock.after(SWEEP_MS, () => this.sweep());
  }

  /** At most one line a minute, however many attempts. */
  private noteAbuse(why: string): void {
    const { clock, log } = this.options;
    this.abuses.count += 1;
    const now = clock.monotonic();
    if (now - this.abuses.loggedAt < LOGGED_EVERY_MS) return;
    log.warn('Monitor clients were cut off', { why, count: this.abuses.count });
    this.abuses = { count: 0, loggedAt: now };
  }
}
