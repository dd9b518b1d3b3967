import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../system/clock.js';
import { systemRandom } from '../../system/random.js';
import { AckLatencies } from './AckLatencies.js';
import { AgentUpgradeHandler } from './AgentUpgradeHandler.js';
import { BodyRoom } from './BodyRoom.js';
import { type CallerRate, CallerRateLimit } from './CallerRateLimit.js';
import type { ConnectionRegistry } from './ConnectionRegistry.js';
import type { EdgeBackend } from './EdgeBackend.js';
import type { EndpointContext } from './endpoints/endpoint.js';
import { type Interposer, NO_FAULTS } from './Interposer.js';
import { LoadGate } from './LoadGate.js';
import { RequestHandler } from './RequestHandler.js';

/** After this much silence an agent is dropped, in ms, by default. */
const SILENCE_MS = 60_000;

interface EdgeServerOptions {
  clock: Clock;
  /** Holds the live connections. */
  registry: ConnectionRegistry;
  /** Gets the lines about what happens. They hold agent ids, which are phone numbers. */
  log: (line: string) => void;
  /** Whether the secret itself is accepted as a token. */
  plainSecrets: boolean;
  /** Frame types beyond the documents that are read and announced; `event` and `status` unless given. */
  accepts?: readonly string[];
  /** How wrong credentials are answered on the socket: by a close code (unless given), or by 401 and 403 to the upgrade. */
  refuseBy?: 'close' | 'status';
  /** How many requests one caller may make; without a limit unless given. */
  rate?: CallerRate;
  /** The memory for bodies, where others share it. */
  bodies?: BodyRoom;
  /** Refuses what is too much, where others ask it too. */
  load?: LoadGate;
  /** An agent that is silent for so long is dropped, in ms; 60 000 unless given. */
  silenceMs?: number;
  interposer?: Interposer;
}

/**
 * The server side of the edge protocol (docs/protocol.md): access, parsing and the form of answers. The EdgeBackend
 * behind it processes the contents. It does not open a port: its owner passes it requests and upgrades.
 */
export class EdgeServer {
  private readonly requests: RequestHandler;
  private readonly upgrades: AgentUpgradeHandler;
  private readonly latencies: AckLatencies;

  constructor(backend: EdgeBackend, options: EdgeServerOptions) {
    const { clock, registry, log, plainSecrets, interposer = NO_FAULTS } = options;
    this.latencies = new AckLatencies(clock, registry);
    const context: EndpointContext = {
      backend,
      clock,
      registry,
      latencies: this.latencies,
      rateLimit: new CallerRateLimit(clock, options.rate),
      bodies: options.bodies ?? new BodyRoom(),
      load: options.load ?? new LoadGate({ waitingMs: () => 0, random: systemRandom }),
      accepts: options.accepts ?? ['event', 'status'],
      plainSecrets,
      refuseBy: options.refuseBy ?? 'close',
      startedAt: clock.now(),
      log,
    };
    this.requests = new RequestHandler(context, interposer);
    this.upgrades = new AgentUpgradeHandler(context, interposer, options.silenceMs ?? SILENCE_MS);
  }

  /** Answers a request; 404 on a path that is not of the protocol. Never rejects. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return this.requests.serve(request, response);
  }

  /** Answers an upgrade. Never rejects. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    return this.upgrades.upgrade(request, socket, head);
  }

  /** Accepts no new sockets: agents are told to reconnect, and find another replica. */
  refuseSockets(): void {
    this.upgrades.refuseAll();
  }

  /** A command is on its way: from now on the time until its ack is measured. Only the first call for a command counts. */
  setOut(agentId: string, commandId: string): void {
    this.latencies.setOut(agentId, commandId);
  }

  /** Resolves when everything received by sockets so far is stored, or could not be. */
  settled(): Promise<void> {
    return this.upgrades.settled();
  }
}
