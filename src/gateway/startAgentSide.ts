import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { type Random, randomHex } from '../system/random.js';
import { BodyRoom } from './agents/BodyRoom.js';
import type { CallerRate } from './agents/CallerRateLimit.js';
import type { ConnectionRegistry } from './agents/ConnectionRegistry.js';
import type { EdgeBackend, Sighting } from './agents/EdgeBackend.js';
import { EdgeServer } from './agents/EdgeServer.js';
import { CLOSE } from './agents/frames.js';
import { type Interposer, NO_FAULTS } from './agents/Interposer.js';
import { LoadGate } from './agents/LoadGate.js';
import type { MessageBody } from './agents/requests.js';
import type { AnswerPorts } from './application.js';
import { GatewayBackend, type SocketSecrets } from './GatewayBackend.js';
import { publishMessage } from './ledger/agentReports.js';
import { endAllReplicas } from './ledger/connections.js';
import { adoptRestoredEvents, eventId, publish, ringAfterCommit } from './ledger/eventLog.js';
import type { SecretBox } from './ledger/SecretBox.js';
import { MessageAnswering, type RequestStanding } from './MessageAnswering.js';
import { CommandDispatch } from './replicas/CommandDispatch.js';
import { Replicas } from './replicas/Replicas.js';
import type { GatewayDatabase, Transaction } from './storage/GatewayDatabase.js';
import type { UploadStore } from './uploads/UploadStore.js';

/** Who answers the messages of agents. */
export interface MessageListener {
  /** In the transaction that stores a new message. True: an answer may come; else it is answered with silence. */
  mayAnswer(transaction: Transaction, agentId: string, guid: string): Promise<boolean>;
  /** Called for each request once its message is stored: unanswered ones are to be processed. */
  onRequest(agentId: string, guid: string, message: MessageBody, standing: RequestStanding): void;
}

interface AgentSideParts {
  database: GatewayDatabase;
  /** With the key that all replicas have. */
  box: SecretBox;
  /** Holds the sockets that are up here. */
  registry: ConnectionRegistry;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Gets the lines of the protocol. They hold agent ids, which are phone numbers, and what strangers sent. */
  edgeLog: (line: string) => void;
  secrets: SocketSecrets;
  uploads: UploadStore;
  /** What all uploaded files may come to. */
  uploadBytes: number;
  /** How long an application may think before a message is answered with silence, in ms. */
  answerMs: number;
  registrationToken: string | undefined;
  plainSecrets: boolean;
  rate: CallerRate | undefined;
  silenceMs: number | undefined;
  accepts?: readonly string[] | undefined;
  refuseBy?: 'close' | 'status' | undefined;
  interposer?: Interposer;
  listener: MessageListener;
  /** Rings after a commit that published events. */
  ring: (isForWebhooks: boolean) => void;
  /** Called with what happens, for counters. */
  onSighting: (sighting: Sighting) => void;
  /** Called for each request that is refused because of overload. */
  onOverload?: () => void;
  /** A layer between the server and the backend; none by default. */
  before?: (backend: GatewayBackend) => EdgeBackend;
}

/** The side of a gateway that agents talk to. */
export interface GatewayAgentSide {
  readonly replicaId: string;
  /** For the code that answers messages. */
  readonly ports: AnswerPorts;
  readonly dispatch: CommandDispatch;
  readonly answering: MessageAnswering;
  readonly replicas: Replicas;
  readonly edge: EdgeServer;
  readonly bodies: BodyRoom;
  readonly load: LoadGate;
}

/** Makes a database, as it was left, ready for this process. */
export function adoptDatabase(database: GatewayDatabase): Promise<void> {
  return database.transaction(async (transaction) => {
    await adoptRestoredEvents(transaction);
    // A replica recorded in the file of a single process is dead: its lease need not be waited for.
    if (transaction.dialect === 'sqlite') await endAllReplicas(transaction);
  });
}

/**
 * Composes the agent side: the registry of sockets, delivery of commands, answers, and the server in front. To stop it,
 * stop `replicas` after `edge.settled()`. Rejects like `Replicas.start`, with nothing left running.
 */
export async function startAgentSide(parts: AgentSideParts): Promise<GatewayAgentSide> {
  const { database, box, clock, random, log, secrets, uploads, uploadBytes, listener, ring, onSighting } =
    parts;
  const { registry, interposer = NO_FAULTS } = parts;
  const replicaId = randomHex(8);
  const dispatch = new CommandDispatch({
    database,
    clock,
    log,
    registry,
    replicaId,
    interposer,
    ring,
    wakeAt: (...what) => replicas.wakeAt(...what),
    setOut: (agentId, commandId) => edge.setOut(agentId, commandId),
  });
  const answering = new MessageAnswering({
    database,
    clock,
    patienceMs: parts.answerMs,
    async onMessage(transaction, agentId, guid, message, now) {
      await publishMessage(transaction, agentId, guid, { ...message, message_guid: guid }, now);
      return listener.mayAnswer(transaction, agentId, guid);
    },
    onRequest: (...request) => listener.onRequest(...request),
  });
  const replicas: Replicas = await Replicas.start({
    database,
    box,
    clock,
    random,
    log,
    replicaId,
    listener: {
      async online(transaction, agentId, claimed) {
        if (claimed.wasOnline) return;
        const now = clock.now();
        const data = { since: new Date(now).toISOString() };
        const id = eventId('agent.online', agentId, claimed.epoch);
        await publish(
          transaction,
          { id, type: 'agent.online', agentId, conversation: null, data, at: now },
          now,
        );
        ringAfterCommit(transaction, ring);
      },
      async offline(transaction, { agentId, epoch, since, reason }) {
        const now = clock.now();
        const data = { since: new Date(since).toISOString(), reason };
        const id = eventId('agent.offline', agentId, epoch);
        await publish(
          transaction,
          { id, type: 'agent.offline', agentId, conversation: null, data, at: since },
          now,
        );
        ringAfterCommit(transaction, ring);
      },
      takenOver: (agentId, epoch) => backend.takenOver(agentId, epoch),
      wake: (...what) => dispatch.wake(...what),
      mayHaveMissed: () => void dispatch.sweep(),
      leaseLost() {
        for (const connection of registry.all())
          connection.close(CLOSE.restarting, 'this gateway has lost its database; connect again');
      },
    },
  });
  const backend: GatewayBackend = new GatewayBackend({
    database,
    secrets,
    clock,
    dispatch,
    answering,
    uploads,
    uploadBytes,
    sockets: replicas,
    registry,
    ring,
    registrationToken: parts.registrationToken,
    onSighting,
  });
  const bodies = new BodyRoom();
  const load = new LoadGate({
    waitingMs: () => database.waitingMs,
    random,
    ...(parts.onOverload === undefined ? {} : { onRefused: parts.onOverload }),
  });
  const edge: EdgeServer = new EdgeServer(parts.before?.(backend) ?? backend, {
    bodies,
    load,
    clock,
    registry,
    log: parts.edgeLog,
    plainSecrets: parts.plainSecrets,
    accepts: parts.accepts,
    refuseBy: parts.refuseBy,
    rate: parts.rate,
    silenceMs: parts.silenceMs,
    interposer,
  });
  const ports: AnswerPorts = {
    commands: {
      async add(transaction, agentId, command, now) {
        return (await dispatch.add(transaction, agentId, command, now)).kind !== 'unknown_agent';
      },
      addFresh: (...order) => dispatch.addFresh(...order),
    },
    replies: { answer: (...answer) => answering.answerWith(...answer) },
  };
  return { replicaId, ports, dispatch, answering, replicas, edge, bodies, load };
}
