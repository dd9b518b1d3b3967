import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describeError } from '../errors.js';
import { onOneLine } from '../logging/formatLine.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { Outbound } from '../system/Outbound.js';
import { PACKAGE_ROOT } from '../system/packageRoot.js';
import type { Random } from '../system/random.js';
import { packageVersion } from '../system/version.js';
import { waitFor } from '../system/waitFor.js';
import { AgentSecrets } from './AgentSecrets.js';
import { ConnectionRegistry } from './agents/ConnectionRegistry.js';
import type { Sighting } from './agents/EdgeBackend.js';
import type { EdgeServer } from './agents/EdgeServer.js';
import { CLOSE } from './agents/frames.js';
import { pathOf } from './agents/RequestHandler.js';
import { ApiKeys } from './api/ApiKeys.js';
import { ApiServer } from './api/ApiServer.js';
import { ConsolePage } from './console/ConsolePage.js';
import { DataRetention } from './DataRetention.js';
import { EventBell } from './events/EventBell.js';
import { GatewayMetrics } from './GatewayMetrics.js';
import type { GatewaySettings } from './gatewaySettings.js';
import { Listener } from './Listener.js';
import { checkKey } from './ledger/checkKey.js';
import { eventId } from './ledger/eventLog.js';
import { SecretBox } from './ledger/SecretBox.js';
import { isAwaitedElsewhere } from './ledger/webhookDeliveries.js';
import type { MessageAnswering } from './MessageAnswering.js';
import { openGatewayDatabase } from './openGatewayDatabase.js';
import type { CommandDispatch } from './replicas/CommandDispatch.js';
import type { Replicas } from './replicas/Replicas.js';
import { adoptDatabase, startAgentSide } from './startAgentSide.js';
import type { GatewayDatabase } from './storage/GatewayDatabase.js';
import { openUploads } from './uploads/openUploads.js';
import { WebhookDispatcher } from './webhooks/WebhookDispatcher.js';

const PAGE_DIRECTORY = join(PACKAGE_ROOT, 'dist', 'gateway-page');

/** How long requests that are under way may take to end when the gateway stops, in ms. */
const IN_FLIGHT_MS = 5_000;

interface GatewaySurroundings {
  clock: Clock;
  random: Random;
  log: Logger;
  /** Called for events of agents, for counters. */
  onSighting?: (sighting: Sighting) => void;
}

/** A part of the gateway that runs; those that began last end first. */
interface GatewayPart {
  readonly name: string;
  stop(): Promise<void> | void;
}

/** What the gateway is made of, as its verbs need it. */
interface GatewayParts {
  readonly database: GatewayDatabase;
  readonly box: SecretBox;
  readonly registry: ConnectionRegistry;
  readonly edge: EdgeServer;
  readonly answering: MessageAnswering;
  readonly dispatch: CommandDispatch;
  readonly replicas: Replicas;
  readonly front: Front;
  readonly listener: Listener;
  /** In the order in which they were started. */
  readonly running: readonly GatewayPart[];
}

/**
 * The production server of the edge protocol: agents on one side, applications on the other, a database between them.
 * Several on one PostgreSQL are replicas: any of them serves any request, and nothing is lost if a replica dies.
 */
export class Gateway {
  private stopping: Promise<void> | undefined;

  private constructor(
    private readonly settings: GatewaySettings,
    private readonly surroundings: GatewaySurroundings,
    private readonly parts: GatewayParts,
  ) {}

  /** Resolves when agents are served. Rejects with EdgeError if the database or the port does not work; then nothing is left. */
  static async start(settings: GatewaySettings, surroundings: GatewaySurroundings): Promise<Gateway> {
    const running: GatewayPart[] = [];
    try {
      return new Gateway(settings, surroundings, await startParts(settings, surroundings, running));
    } catch (error) {
      await stopParts(running, surroundings.log);
      throw error;
    }
  }

  get port(): number {
    return this.parts.listener.port;
  }

  /** For operators' changes while the gateway runs: agents, keys. */
  get database(): GatewayDatabase {
    return this.parts.database;
  }

  /** Seals and opens the secrets of agents and webhooks. */
  get box(): SecretBox {
    return this.parts.box;
  }

  /** The commands that are made here reach the sockets of their agents. */
  get commands(): CommandDispatch {
    return this.parts.dispatch;
  }

  /**
   * Ends in order: no new socket, requests that wait are sent elsewhere, sockets are closed a few at a time so that their agents do not
   * all come back at once, then everything stops. Idempotent.
   */
  stop(): Promise<void> {
    this.stopping ??= this.drainAndStop();
    return this.stopping;
  }

  private async drainAndStop(): Promise<void> {
    const { clock, log } = this.surroundings;
    const { front, edge, answering, registry, running } = this.parts;
    front.drain();
    edge.refuseSockets();
    answering.drain();
    const pause = 1000 / this.settings.closesPerSecond;
    for (const connection of registry.all()) {
      connection.close(CLOSE.restarting, 'the gateway restarts; connect again');
      await waitFor(clock, pause).over;
    }
    const late = waitFor(clock, IN_FLIGHT_MS);
    await Promise.race([Promise.all([front.idle(), edge.settled()]), late.over]);
    late.cancel();
    await stopParts(running, log);
  }
}

async function stopParts(running: readonly GatewayPart[], log: Logger): Promise<void> {
  for (const part of running.toReversed()) {
    try {
      await part.stop();
    } catch (error) {
      log.error(`${part.name} did not stop in order: ${describeError(error)}`);
    }
  }
}

/** Starts one part after the other; `running` has those that were started, also where a later one fails. */
async function startParts(
  settings: GatewaySettings,
  { clock, random, log, onSighting = () => undefined }: GatewaySurroundings,
  running: GatewayPart[],
): Promise<GatewayParts> {
  const { storage, registrationToken, uploadBytes, keepDays } = settings;
  const database = await openGatewayDatabase(storage, { clock, random, log });
  running.push({ name: 'the database', stop: () => database.close() });
  const box = new SecretBox(settings.key, settings.keysBefore);
  await checkKey(database, box);
  await adoptDatabase(database);
  const outbound = new Outbound(() => settings.network);
  const uploads = openUploads(settings.uploads, { clock, outbound, log });
  await uploads.prepare();
  const bell = new EventBell(database, clock, log);
  await bell.start();
  running.push({ name: 'the bell of events', stop: () => bell.stop() });
  const ring = (isForWebhooks: boolean) => bell.ring(isForWebhooks);
  const secrets = new AgentSecrets({ database, box, clock, log });
  await secrets.start();
  running.push({ name: 'the secrets of agents', stop: () => secrets.stop() });
  const metrics = new GatewayMetrics({
    database,
    clock,
    log,
    version: packageVersion(),
    sockets: () => registry.size,
  });
  const registry = new ConnectionRegistry();
  const side = await startAgentSide({
    database,
    box,
    registry,
    clock,
    random,
    log,
    // They name agents, which are phone numbers, and what strangers sent.
    edgeLog: (line) => log.debug(onOneLine(line)),
    secrets,
    uploads,
    uploadBytes,
    answerMs: settings.answerMs,
    registrationToken,
    plainSecrets: settings.plainSecrets,
    rate: settings.rate,
    silenceMs: settings.silenceMs,
    listener: {
      mayAnswer: (transaction, agentId, guid) =>
        isAwaitedElsewhere(transaction, agentId, eventId('message.received', agentId, guid)),
      onRequest(_agentId, _guid, _message, standing) {
        if (standing !== 'answered') ring(true);
      },
    },
    ring,
    onSighting(sighting) {
      metrics.saw(sighting);
      onSighting(sighting);
    },
    onOverload: () => metrics.sawOverload(),
  });
  const { replicaId, ports, dispatch, answering, replicas, edge, bodies, load } = side;
  running.push({ name: 'the lease of this replica', stop: () => replicas.stop() });
  running.push({ name: 'what sockets brought', stop: () => edge.settled() });
  const webhooks = new WebhookDispatcher({
    database,
    bell,
    box,
    clock,
    random,
    outbound,
    log,
    replicaId,
    version: packageVersion(),
    allowPrivateAddresses: settings.allowPrivateWebhooks,
    ...ports,
  });
  webhooks.start();
  running.push({ name: 'webhooks', stop: () => webhooks.stop() });
  const retention = new DataRetention({ database, clock, log, uploads, keepDays });
  retention.start();
  running.push({ name: 'retention', stop: () => retention.stop() });
  const keys = new ApiKeys(database, clock);
  await keys.start();
  running.push({ name: 'the keys of applications', stop: () => keys.stop() });
  const api = new ApiServer({
    keys,
    bodies,
    load,
    database,
    commands: ports.commands,
    bell,
    uploads,
    box,
    clock,
    log,
    allowPrivateAddresses: settings.allowPrivateWebhooks,
    ...(settings.rate === undefined ? {} : { rate: settings.rate }),
  });
  running.push({ name: 'the API', stop: () => api.stop() });
  const front = new Front(edge, api, new ConsolePage(PAGE_DIRECTORY), metrics, () => replicas.isReady);
  const listener = new Listener(settings.host, front);
  await listener.open(settings.port);
  running.push({ name: 'the port', stop: () => listener.close() });
  return { database, box, registry, edge, answering, dispatch, replicas, front, listener, running };
}

/** What comes to the port: gives each request to whom it concerns, and knows which are under way. */
class Front {
  private readonly serving = new Set<Promise<void>>();
  private isDraining = false;

  constructor(
    private readonly edge: EdgeServer,
    private readonly api: ApiServer,
    private readonly page: ConsolePage,
    private readonly metrics: GatewayMetrics,
    private readonly isReady: () => boolean,
  ) {}

  /** Never rejects. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const served = this.answer(request, response).finally(() => this.serving.delete(served));
    this.serving.add(served);
    return served;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    return this.edge.upgrade(request, socket, head);
  }

  /** From now on `/ready` tells load balancers to send nothing more here, and streams of events end. */
  drain(): void {
    this.isDraining = true;
    this.api.endStreams();
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    while (this.serving.size > 0) await Promise.all(this.serving);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url);
    if (path === '/ready') this.answerReady(response);
    else if (path === '/metrics') await this.metrics.serve(request, response);
    else if (ApiServer.serves(path)) await this.api.serve(request, response);
    else if (!this.page.serve(request, response)) await this.edge.serve(request, response);
  }

  private answerReady(response: ServerResponse): void {
    const isReady = !this.isDraining && this.isReady();
    const text = JSON.stringify({ status: isReady ? 'ready' : this.isDraining ? 'draining' : 'no database' });
    response.writeHead(isReady ? 200 : 503, { 'Content-Type': 'application/json; charset=utf-8' });
    response.end(text);
  }
}
