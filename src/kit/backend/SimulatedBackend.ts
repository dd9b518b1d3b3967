import { randomBytes } from 'node:crypto';
import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import { plainFrame } from '../../gateway/agents/frames.js';
import { SOCKET_PATH } from '../../gateway/agents/RequestHandler.js';
import { DataRetention } from '../../gateway/DataRetention.js';
import { Listener } from '../../gateway/Listener.js';
import { GATEWAY_MIGRATIONS } from '../../gateway/ledger/gatewayMigrations.js';
import { SecretBox } from '../../gateway/ledger/SecretBox.js';
import { adoptDatabase, type GatewayAgentSide, startAgentSide } from '../../gateway/startAgentSide.js';
import type { GatewayDatabase } from '../../gateway/storage/GatewayDatabase.js';
import { IN_MEMORY, SqliteDatabase } from '../../gateway/storage/SqliteDatabase.js';
import { type UploadStore, uploadName } from '../../gateway/uploads/UploadStore.js';
import { onOneLine } from '../../logging/formatLine.js';
import type { Logger } from '../../logging/Logger.js';
import { type Clock, systemClock } from '../../system/clock.js';
import { systemRandom } from '../../system/random.js';
import {
  BackendCommands,
  type CommandRequest,
  type Delivery,
  type DeliveryOptions,
} from './BackendCommands.js';
import { BackendFaults } from './BackendFaults.js';
import { CommandWire } from './CommandWire.js';
import { ConfigUpdates } from './ConfigUpdates.js';
import { demandSecrets, hostInUrl, LOOPBACK } from './exposure.js';
import { Faults } from './Faults.js';
import { Journal, type JournalEntry } from './Journal.js';
import { Pauses } from './Pauses.js';
import { PersonaApplication } from './PersonaApplication.js';
import { PersonaBackend } from './PersonaBackend.js';
import { ReplyHold, type ReplyOrder } from './ReplyHold.js';
import { SharedSecret } from './SharedSecret.js';
import type { SimulatedBackendOptions } from './SimulatedBackendOptions.js';

/** The persona decides for itself when it is late; a message waits until it is answered. */
const ANSWER_MS = 3650 * 86_400_000;

/** How long what is over is kept, in days: within that a repeated id is recognised. */
const KEPT_DAYS = 90;

/** What it is made of, as its verbs need it. */
interface SimulatedParts {
  clock: Clock;
  database: GatewayDatabase;
  registry: ConnectionRegistry;
  side: GatewayAgentSide;
  retention: DataRetention;
  agents: SharedSecret;
  application: PersonaApplication;
  commands: BackendCommands;
  journal: Journal;
  configUpdates: ConfigUpdates;
  listener: Listener;
  pauses: Pauses;
  hold: ReplyHold;
  /** As in a URL. */
  host: string;
}

/** The journal has the files. */
const FORGETFUL_UPLOADS: UploadStore = {
  prepare: async () => undefined,
  keep: async (agentId, guid) => uploadName(agentId, guid),
  read: async () => undefined,
  remove: async () => undefined,
};

/** What goes wrong within, as lines of the backend. */
function complaintsTo(log: (line: string) => void): Logger {
  const unsaid = () => undefined;
  return { debug: unsaid, info: unsaid, warn: (message) => log(message), error: (message) => log(message) };
}

/**
 * The reference backend: the side of a gateway that agents talk to, on one port, with a persona for its application and verbs that make
 * things go wrong. What a gateway keeps outlives the process where it is kept in a file; the journal and faults go with it.
 */
export class SimulatedBackend extends BackendFaults {
  /** Starts listening. Rejects with an EdgeError when the port is taken, the secret is none for that host, or the file of no use. */
  static async start(options: SimulatedBackendOptions): Promise<SimulatedBackend> {
    const host = options.host ?? LOOPBACK;
    const { secret, adminKey, registrationToken, persona, production = false } = options;
    demandSecrets({ host, secret, adminKey, registrationToken, production });
    const clock = options.clock ?? systemClock;
    // What strangers and agents say must not look like a line of ours.
    const log = (line: string) => options.log?.(onOneLine(line));
    const complaints = complaintsTo(log);
    const remembered = options.historyLimit ?? 100_000;
    const journal = new Journal(clock, remembered, log);
    const pauses = new Pauses(clock);
    const hold = new ReplyHold(journal);
    const wire = new CommandWire(journal, options.envelope ?? 'both');
    const faults = new Faults(pauses, wire);
    const configUpdates = new ConfigUpdates();
    const database = await SqliteDatabase.open({
      path: options.data ?? IN_MEMORY,
      migrations: GATEWAY_MIGRATIONS,
      clock,
      log: complaints,
    });
    const agents = new SharedSecret(secret, database, clock);
    const registry = new ConnectionRegistry();
    const application = new PersonaApplication({
      persona,
      clock,
      database,
      ports: () => side.ports,
      registry,
      hold,
      pauses,
      faults,
      journal,
      log,
      remembered,
    });
    let side: GatewayAgentSide;
    try {
      await adoptDatabase(database);
      side = await startAgentSide({
        database,
        // There is no other replica.
        box: new SecretBox(randomBytes(32)),
        registry,
        clock,
        random: systemRandom,
        log: complaints,
        edgeLog: log,
        secrets: agents,
        uploads: FORGETFUL_UPLOADS,
        uploadBytes: Number.POSITIVE_INFINITY,
        answerMs: ANSWER_MS,
        registrationToken,
        plainSecrets: !production,
        rate: options.rate,
        silenceMs: options.silenceMs,
        accepts: options.accepts,
        refuseBy: options.refuseBy,
        interposer: faults,
        listener: application,
        // Events have no listener.
        ring: () => undefined,
        onSighting: () => undefined,
        before: (gateway) =>
          new PersonaBackend(gateway, { agents, application, wire, journal, configUpdates, adminKey, log }),
      });
    } catch (error) {
      await database.close();
      throw error;
    }
    const { dispatch } = side;
    const retention = new DataRetention({
      database,
      clock,
      log: complaints,
      uploads: FORGETFUL_UPLOADS,
      keepDays: KEPT_DAYS,
    });
    retention.start();
    const listener = new Listener(host, side.edge);
    const backend = new SimulatedBackend(
      {
        clock,
        database,
        registry,
        side,
        retention,
        agents,
        application,
        commands: new BackendCommands({ clock, database, agents, dispatch, registry, wire, log }),
        journal,
        configUpdates,
        listener,
        pauses,
        hold,
        host: hostInUrl(host),
      },
      faults,
    );
    try {
      await listener.open(options.port);
    } catch (error) {
      await backend.stop();
      throw error;
    }
    return backend;
  }

  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly parts: SimulatedParts,
    faults: Faults,
  ) {
    super(parts.registry, faults);
  }

  /** From now on only this secret counts; live sockets stay. */
  rotateSecret(secret: string): void {
    this.parts.agents.rotate(secret);
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
  get commands(): BackendCommands {
    return this.parts.commands;
  }

  observe(listener: (entry: JournalEntry) => void): () => void {
    return this.journal.observe(listener);
  }

  /** Resolves as soon as the condition holds; rejects after `timeoutMs`, and when the backend stops. */
  until(condition: (backend: this) => boolean, timeoutMs = 60_000): Promise<void> {
    return this.journal.until(() => condition(this), timeoutMs);
  }

  /** Has a command stored and sent, or kept until the agent asks. With several agents connected, say which. */
  pushCommand(command: CommandRequest, options: DeliveryOptions & { agentId?: string } = {}): Delivery {
    return this.parts.commands.push(options.agentId ?? this.onlyAgent(), command, options);
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
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  private async end(): Promise<void> {
    const { pauses, listener, application, retention, side, database } = this.parts;
    pauses.end();
    await listener.close();
    this.journal.end();
    await application.settled();
    await side.edge.settled();
    await retention.stop();
    await side.replicas.stop();
    await database.close();
  }

  /** The one agent that is connected; else the one that was connected, or that asked, last. */
  private onlyAgent(): string {
    const [first, second] = this.connections;
    if (second !== undefined) throw new Error('several agents are connected: specify one');
    const agentId = (first ?? this.journal.connects.at(-1) ?? this.journal.syncs.at(-1))?.agentId;
    if (agentId === undefined) throw new Error('no agent has connected yet: specify one');
    return agentId;
  }
}
