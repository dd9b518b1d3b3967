import { onOneLine } from '../../logging/formatLine.js';
import { systemClock } from '../../system/clock.js';
import type { AgentConnection } from './AgentConnection.js';
import { AgentUpgradeHandler } from './AgentUpgradeHandler.js';
import { BackendFaults } from './BackendFaults.js';
import { CallerRateLimit } from './CallerRateLimit.js';
import {
  CommandDelivery,
  type CommandRequest,
  type Delivery,
  type DeliveryOptions,
} from './CommandDelivery.js';
import { type CommandQueue, MemoryCommandQueue } from './CommandQueue.js';
import { ConfigUpdates } from './ConfigUpdates.js';
import { ConnectionRegistry } from './ConnectionRegistry.js';
import type { EndpointContext } from './endpoints/endpoint.js';
import { demandSecrets, hostInUrl, LOOPBACK } from './exposure.js';
import { Faults } from './Faults.js';
import { plainFrame } from './frames.js';
import { Journal, type JournalEntry } from './Journal.js';
import { Listener } from './Listener.js';
import { MessageAnswers } from './MessageAnswers.js';
import { Pauses } from './Pauses.js';
import { ReplyHold, type ReplyOrder } from './ReplyHold.js';
import { RequestHandler, SOCKET_PATH } from './RequestHandler.js';
import type { SimulatedBackendOptions } from './SimulatedBackendOptions.js';

/**
 * The reference backend: real HTTP and a real WebSocket on one port, a persona that answers, and verbs that make things go
 * wrong. Commands are delivered at least once; a message guid is answered once. Commands outlive the process where the queue
 * does; all else goes with it.
 */
export class SimulatedBackend extends BackendFaults {
  /** Starts listening. Rejects with an EdgeError when the port is taken, or the secret is none for that host. */
  static async start(options: SimulatedBackendOptions): Promise<SimulatedBackend> {
    const host = options.host ?? LOOPBACK;
    const { secret: given, adminKey, registrationToken, production = false } = options;
    demandSecrets({ host, secret: given, adminKey, registrationToken, production });
    const clock = options.clock ?? systemClock;
    // What strangers and agents say must not look like a line of ours.
    const log = (line: string) => options.log?.(onOneLine(line));
    const remembered = options.historyLimit ?? 100_000;
    const registry = new ConnectionRegistry();
    const faults = new Faults();
    const pauses = new Pauses(clock);
    const journal = new Journal(clock, remembered, log);
    const hold = new ReplyHold(journal);
    const queue = options.queue ?? new MemoryCommandQueue();
    const envelope = options.envelope ?? 'both';
    const delivery = new CommandDelivery({ clock, registry, queue, faults, journal, envelope, log });
    const { persona } = options;
    const desk = new MessageAnswers({
      persona,
      registry,
      delivery,
      hold,
      pauses,
      faults,
      journal,
      log,
      remembered,
    });
    let secret = given;
    const parts: EndpointContext = {
      clock,
      registry,
      queue,
      delivery,
      desk,
      journal,
      configUpdates: new ConfigUpdates(),
      accepts: options.accepts ?? ['event', 'status'],
      secret: () => secret,
      production,
      registrationToken,
      adminKey: () => adminKey ?? secret,
      rateLimit: new CallerRateLimit(clock, options.rate),
      refuseBy: options.refuseBy ?? 'close',
      startedAt: clock.now(),
      log,
    };
    const listener = new Listener(
      host,
      new RequestHandler(parts, faults, pauses),
      new AgentUpgradeHandler(parts, faults, options.silenceMs ?? 60_000),
    );
    await listener.open(options.port);
    const rotate = (next: string) => {
      secret = next;
    };
    return new SimulatedBackend(parts, faults, listener, pauses, hold, rotate, hostInUrl(host));
  }

  private constructor(
    private readonly parts: EndpointContext,
    faults: Faults,
    private readonly listener: Listener,
    private readonly pauses: Pauses,
    private readonly hold: ReplyHold,
    /** From now on only this secret counts; live sockets stay. */
    readonly rotateSecret: (secret: string) => void,
    private readonly host: string,
  ) {
    super(parts.registry, faults);
  }

  get port(): number {
    return this.listener.port;
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  get webSocketUrl(): string {
    return `ws://${this.host}:${this.port}${SOCKET_PATH}`;
  }

  /** What has happened, as lists. Each list is live. */
  get journal(): Journal {
    return this.parts.journal;
  }

  get messages(): Journal['messages'] {
    return this.journal.messages;
  }

  get photos(): Journal['photos'] {
    return this.journal.photos;
  }

  get acks(): Journal['acks'] {
    return this.journal.acks;
  }

  get syncs(): Journal['syncs'] {
    return this.journal.syncs;
  }

  get events(): Journal['events'] {
    return this.journal.events;
  }

  get statuses(): Journal['statuses'] {
    return this.journal.statuses;
  }

  get registrations(): Journal['registrations'] {
    return this.journal.registrations;
  }

  /** The live connections. */
  get connections(): readonly AgentConnection[] {
    return this.parts.registry.all();
  }

  /** The commands, with what became of each. */
  get commands(): CommandQueue {
    return this.parts.queue;
  }

  observe(listener: (entry: JournalEntry) => void): () => void {
    return this.journal.observe(listener);
  }

  /** Resolves as soon as the condition holds; rejects after `timeoutMs`, and when the backend stops. */
  until(condition: (backend: this) => boolean, timeoutMs = 60_000): Promise<void> {
    return this.journal.until(() => condition(this), timeoutMs);
  }

  /** Sends a command, or keeps it until the agent asks. With several agents connected, say which. */
  pushCommand(command: CommandRequest, options: DeliveryOptions & { agentId?: string } = {}): Delivery {
    return this.parts.delivery.push(options.agentId ?? this.onlyAgent(), command, options);
  }

  /** Sends settings by socket where there is one, else with the next sync. */
  pushConfigUpdate(settings: Readonly<Record<string, unknown>>, agentId = this.onlyAgent()): void {
    const frame = plainFrame('config_update', this.parts.clock.now(), settings);
    const sent = this.parts.registry.find(agentId)?.send(frame) ?? false;
    if (!sent) this.parts.configUpdates.add(agentId, settings);
  }

  /** Sends a word for those who watch an agent; false where it has no socket. */
  notify(message: string, level = 'info', agentId = this.onlyAgent()): boolean {
    const frame = plainFrame('notification', this.parts.clock.now(), { level, message });
    return this.parts.registry.find(agentId)?.send(frame) ?? false;
  }

  /** Holds reflex and reply of every message from now on, until `release`. */
  holdReply(): void {
    this.hold.start();
  }

  /** The guids of the messages that are held. */
  get held(): readonly string[] {
    return this.hold.guids;
  }

  /** Pushes the held reflexes alone; returns the ids of their commands. */
  releaseReflex(): string[] {
    return this.hold.releaseReflex();
  }

  /** Lets the held replies alone go; resolves when they are written. */
  releaseReply(): Promise<void> {
    return this.hold.releaseReply();
  }

  /** Lets reflexes and replies go in this order, and holds nothing more. Resolves when all is out. */
  release(order: ReplyOrder): Promise<void> {
    return this.hold.release(order);
  }

  /** Stops listening and cuts every connection, as a crash or a deploy does; what is kept stays kept. */
  async goDown(): Promise<void> {
    await this.listener.close();
    this.journal.record({ kind: 'down' });
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    await this.listener.open(this.port);
    this.journal.record({ kind: 'up' });
  }

  /** Ends everything: no timer, socket or wait is left. Idempotent. */
  async stop(): Promise<void> {
    this.pauses.end();
    await this.listener.close();
    this.journal.end();
  }

  /** The one agent that is connected; else the one that was connected, or that asked, last. */
  private onlyAgent(): string {
    const [first, second] = this.connections;
    if (second !== undefined) throw new Error('several agents are connected: name one');
    const agentId = (first ?? this.journal.connects.at(-1) ?? this.journal.syncs.at(-1))?.agentId;
    if (agentId === undefined) throw new Error('no agent has connected yet: name one');
    return agentId;
  }
}
