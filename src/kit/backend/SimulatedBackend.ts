import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import { EdgeServer } from '../../gateway/agents/EdgeServer.js';
import { plainFrame } from '../../gateway/agents/frames.js';
import { SOCKET_PATH } from '../../gateway/agents/RequestHandler.js';
import { Listener } from '../../gateway/Listener.js';
import { onOneLine } from '../../logging/formatLine.js';
import { type Clock, systemClock } from '../../system/clock.js';
import { BackendFaults } from './BackendFaults.js';
import {
  CommandDelivery,
  type CommandRequest,
  type Delivery,
  type DeliveryOptions,
} from './CommandDelivery.js';
import { type CommandQueue, MemoryCommandQueue } from './CommandQueue.js';
import { ConfigUpdates } from './ConfigUpdates.js';
import { demandSecrets, hostInUrl, LOOPBACK } from './exposure.js';
import { Faults } from './Faults.js';
import { Journal, type JournalEntry } from './Journal.js';
import { MessageAnswers } from './MessageAnswers.js';
import { Pauses } from './Pauses.js';
import { PersonaBackend } from './PersonaBackend.js';
import { ReplyHold, type ReplyOrder } from './ReplyHold.js';
import type { SimulatedBackendOptions } from './SimulatedBackendOptions.js';

/** What it is made of, as its verbs need it. */
interface SimulatedParts {
  clock: Clock;
  registry: ConnectionRegistry;
  queue: CommandQueue;
  delivery: CommandDelivery;
  journal: Journal;
  configUpdates: ConfigUpdates;
  listener: Listener;
  pauses: Pauses;
  hold: ReplyHold;
  backend: PersonaBackend;
  /** As it stands in a URL. */
  host: string;
}

/**
 * The reference backend: real HTTP and a real WebSocket on one port, a persona that answers, and verbs that make things go
 * wrong. Commands are delivered at least once; a message guid is answered once. Commands outlive the process where the queue
 * does; all else goes with it.
 */
export class SimulatedBackend extends BackendFaults {
  /** Starts listening. Rejects with an EdgeError when the port is taken, or the secret is none for that host. */
  static async start(options: SimulatedBackendOptions): Promise<SimulatedBackend> {
    const host = options.host ?? LOOPBACK;
    const { secret, adminKey, registrationToken, production = false } = options;
    demandSecrets({ host, secret, adminKey, registrationToken, production });
    const clock = options.clock ?? systemClock;
    // What strangers and agents say must not look like a line of ours.
    const log = (line: string) => options.log?.(onOneLine(line));
    const remembered = options.historyLimit ?? 100_000;
    const registry = new ConnectionRegistry();
    const pauses = new Pauses(clock);
    const faults = new Faults(pauses);
    const journal = new Journal(clock, remembered, log);
    const hold = new ReplyHold(journal);
    const queue = options.queue ?? new MemoryCommandQueue();
    const envelope = options.envelope ?? 'both';
    const setOut = (agentId: string, commandId: string) => server.setOut(agentId, commandId);
    const delivery = new CommandDelivery({ clock, registry, queue, faults, journal, envelope, setOut, log });
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
    const configUpdates = new ConfigUpdates();
    const backend = new PersonaBackend({
      clock,
      queue,
      delivery,
      desk,
      journal,
      configUpdates,
      secret,
      registrationToken,
      adminKey,
      log,
    });
    const server = new EdgeServer(backend, {
      clock,
      registry,
      log,
      plainSecrets: !production,
      accepts: options.accepts,
      refuseBy: options.refuseBy,
      rate: options.rate,
      silenceMs: options.silenceMs,
      interposer: faults,
    });
    const listener = new Listener(host, server);
    await listener.open(options.port);
    const parts = {
      clock,
      registry,
      queue,
      delivery,
      journal,
      configUpdates,
      listener,
      pauses,
      hold,
      backend,
    };
    return new SimulatedBackend({ ...parts, host: hostInUrl(host) }, faults);
  }

  private constructor(
    private readonly parts: SimulatedParts,
    faults: Faults,
  ) {
    super(parts.registry, faults);
  }

  /** From now on only this secret counts; live sockets stay. */
  rotateSecret(secret: string): void {
    this.parts.backend.rotateSecret(secret);
  }

  get port(): number {
    return this.parts.listener.port;
  }

  get url(): string {
    return `http://${this.parts.host}:${this.port}`;
  }

  get webSocketUrl(): string {
    return `ws://${this.parts.host}:${this.port}${SOCKET_PATH}`;
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
    this.parts.hold.start();
  }

  /** The guids of the messages that are held. */
  get held(): readonly string[] {
    return this.parts.hold.guids;
  }

  /** Pushes the held reflexes alone; returns the ids of their commands. */
  releaseReflex(): string[] {
    return this.parts.hold.releaseReflex();
  }

  /** Lets the held replies alone go; resolves when they are written. */
  releaseReply(): Promise<void> {
    return this.parts.hold.releaseReply();
  }

  /** Lets reflexes and replies go in this order, and holds nothing more. Resolves when all is out. */
  release(order: ReplyOrder): Promise<void> {
    return this.parts.hold.release(order);
  }

  /** Stops listening and cuts every connection, as a crash or a deploy does; what is kept stays kept. */
  async goDown(): Promise<void> {
    await this.parts.listener.close();
    this.journal.record({ kind: 'down' });
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    await this.parts.listener.open(this.port);
    this.journal.record({ kind: 'up' });
  }

  /** Ends everything: no timer, socket or wait is left. Idempotent. */
  async stop(): Promise<void> {
    this.parts.pauses.end();
    await this.parts.listener.close();
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
