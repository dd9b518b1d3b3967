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

/** An agent that is silent for so long is dropped, in ms, unless told otherwise. */
const SILENCE_MS = 60_000;

interface EdgeServerOptions {
  clock: Clock;
  /** Holds the live connections. */
  registry: ConnectionRegistry;
  /** Gets the lines about what happens. They hold agent ids, which are phone numbers. */
  log: (line: string) => void;
  /** Whether the secret itself is taken for a token. */
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
 * The other end of the edge protocol (docs/protocol.md): who may come in, what is read and in which form it is answered. What
 * becomes of it is decided by the EdgeBackend behind it. It has no port of its own: its owner gives it requests and upgrades.
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

  /** Takes no new socket any more: agents are told to come back, and find another replica. */
  refuseSockets(): void {
    this.upgrades.refuseAll();
  }

  /** A command is on its way: from now on the time until its ack is measured. Only the first call for a command counts. */
  setOut(agentId: string, commandId: string): void {
    this.latencies.setOut(agentId, commandId);
  }

  /** Resolves when everything that sockets brought so far is stored, or could not be. */
  settled(): Promise<void> {
    return this.upgrades.settled();
  }
}
