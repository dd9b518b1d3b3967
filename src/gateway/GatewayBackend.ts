import { EdgeError } from '../errors.js';
import { agentIdOf } from '../model/agentId.js';
import type { Clock } from '../system/clock.js';
import type { AgentSecrets } from './AgentSecrets.js';
import type { AgentConnection } from './agents/AgentConnection.js';
import { mintToken, sameText } from './agents/authentication.js';
import type { ConnectionRegistry } from './agents/ConnectionRegistry.js';
import type {
  AdminRights,
  Admittance,
  AgentReport,
  EdgeBackend,
  MessageOutcome,
  OrderedText,
  OrderedTextOutcome,
  RegisteredAgent,
  Sighting,
  Upload,
} from './agents/EdgeBackend.js';
import { CLOSE, type WireCommand } from './agents/frames.js';
import type { MessageBody, RegisterBody } from './agents/requests.js';
import { inSlices } from './inSlices.js';
import { takeEvent } from './ledger/agentEvents.js';
import { publishEvent, takeAck } from './ledger/agentReports.js';
import { keepStatus, noteHandOut, noteRegistration } from './ledger/agents.js';
import { findApiKey, hasScope, mayUseAgent } from './ledger/apiKeys.js';
import { countAllCommands, countCommands, waitingCommands } from './ledger/commands.js';
import { conversationName } from './ledger/conversations.js';
import { eventId, publish, ringAfterCommit } from './ledger/eventLog.js';
import { addMessage } from './ledger/messages.js';
import { addUpload, findUpload, uploadedBytes } from './ledger/uploads.js';
import type { MessageAnswering } from './MessageAnswering.js';
import type { CommandDispatch } from './replicas/CommandDispatch.js';
import type { Replicas } from './replicas/Replicas.js';
import type { GatewayDatabase, Transaction } from './storage/GatewayDatabase.js';
import type { UploadStore } from './uploads/UploadStore.js';

/** What a sync hands out at most: the rest when these are acked. Agents read answers of up to 64 MiB. */
const HANDED_OUT_AT_MOST = 500;
const HANDED_OUT_BYTES = 8 * 1024 * 1024;

/** How often it is asked how much was uploaded, in ms. */
const UPLOADED_MS = 60_000;

/** How many commands are read at once: one may have a file of 8 MiB in it. */
const PAGE = 20;

/** The secrets of agents, and the sockets that were opened with them. */
export type SocketSecrets = Pick<AgentSecrets, 'of' | 'invite' | 'watch' | 'unwatch'>;

interface GatewayBackendParts {
  database: GatewayDatabase;
  secrets: SocketSecrets;
  clock: Clock;
  dispatch: CommandDispatch;
  answering: MessageAnswering;
  uploads: UploadStore;
  /** The sockets that are up here. */
  registry: ConnectionRegistry;
  /** What all uploaded files may come to. */
  uploadBytes: number;
  /** Who holds the socket of which agent, over all replicas. */
  sockets: Pick<Replicas, 'claim' | 'release' | 'holds'>;
  /** Rings after a commit that published events. */
  ring: (isForWebhooks: boolean) => void;
  /** What new agents may register with; undefined: each is added by an operator. */
  registrationToken: string | undefined;
  /** Called with what happens, for counters. */
  onSighting: (sighting: Sighting) => void;
}

/** Processes the reports of agents: everything is in the database before the agent gets the confirmation. */
export class GatewayBackend implements EdgeBackend {
  /** The epochs of the sockets that are up here. */
  private readonly epochs = new Map<AgentConnection, number>();
  /** What all uploaded files come to, as far as is known here. */
  private uploaded = { bytes: 0, askAgainAt: Number.NEGATIVE_INFINITY };

  constructor(private readonly parts: GatewayBackendParts) {}

  async secretsOf(agentId: string | undefined): Promise<readonly string[]> {
    return agentId === undefined ? [] : this.parts.secrets.of(agentId);
  }

  async operatorOf(adminKey: string): Promise<AdminRights | undefined> {
    const key = await findApiKey(this.parts.database, adminKey);
    if (key === undefined) return undefined;
    return {
      maySeeStats: hasScope(key, 'agents:read') && key.agents === null,
      maySend: (agentId) => hasScope(key, 'messages:write') && mayUseAgent(key, agentId),
      name: key.id,
    };
  }

  async register(body: RegisterBody, by: Admittance): Promise<RegisteredAgent | undefined> {
    const { database, clock, secrets } = this.parts;
    const { auth_token: _token, registration_token: _registrationToken, ...registration } = body;
    const now = clock.now();
    if (by.kind === 'credentials') {
      const { agentId } = by;
      if (agentId === undefined) return undefined;
      await database.transaction((transaction) => noteRegistration(transaction, agentId, registration, now));
      return { agentId };
    }
    const { registrationToken } = this.parts;
    if (registrationToken === undefined || !sameText(by.token, registrationToken)) return undefined;
    const agentId = agentIdOf(body.user_phone);
    const secret = await database.transaction(async (transaction) => {
      const given = await secrets.invite(transaction, agentId, now);
      if (given !== undefined) await noteRegistration(transaction, agentId, registration, now);
      return given;
    });
    if (secret === undefined) return undefined;
    return { agentId, authToken: mintToken(secret, agentId, body.user_phone, Math.floor(now / 1000)) };
  }

  async report(agentId: string, reports: readonly AgentReport[]): Promise<void> {
    const { clock, ring } = this.parts;
    await inSlices(this.parts, agentId, reports, async (transaction, report) => {
      await this.take(transaction, agentId, report, clock.now());
      ringAfterCommit(transaction, ring);
    });
  }

  async handOut(agentId: string): Promise<{ commands: readonly WireCommand[] }> {
    const { database, clock, dispatch } = this.parts;
    const commands: WireCommand[] = [];
    let bytes = 0;
    let after = 0;
    while (commands.length < HANDED_OUT_AT_MOST && bytes < HANDED_OUT_BYTES) {
      const page = await waitingCommands(database.soon, agentId, after, PAGE);
      for (const { position, command } of page) {
        after = position;
        if (command === undefined) {
          await dispatch.setAside(agentId, position);
          continue;
        }
        bytes += JSON.stringify(command).length;
        if (commands.length > 0 && bytes > HANDED_OUT_BYTES) break;
        commands.push(command);
      }
      if (page.length < PAGE) break;
    }
    if (commands.length > 0 && !(await noteHandOut(database, agentId, clock.now()))) return { commands: [] };
    return { commands };
  }

  answer(agentId: string, guid: string, message: MessageBody, hungUp: AbortSignal): Promise<MessageOutcome> {
    return this.parts.answering.answer(agentId, guid, message, hungUp);
  }

  async upload(agentId: string, { guid, fields, file }: Upload): Promise<void> {
    const { database, uploads, clock } = this.parts;
    if ((await findUpload(database, agentId, guid)) !== undefined) return;
    await this.takeUploadRoom(file.bytes.length);
    const name = await uploads.keep(agentId, guid, file.bytes);
    const record = {
      agentId,
      guid,
      messageGuid: fields.message_guid ?? null,
      name: file.name,
      type: file.type,
      bytes: file.bytes.length,
      file: name,
      at: clock.now(),
    };
    await database.transaction((transaction) => addUpload(transaction, record));
  }

  async connected(connection: AgentConnection): Promise<void> {
    const { agentId } = connection;
    const { sockets, dispatch, secrets } = this.parts;
    await secrets.watch(connection);
    const claim = await sockets.claim(agentId, () => connection.open);
    if (claim.kind === 'superseded') closeTakenOver(connection);
    if (claim.kind === 'removed') connection.close(CLOSE.policy, 'there is no such agent any more');
    if (claim.kind !== 'held') return;
    this.epochs.set(connection, claim.epoch);
    // It may have ended meanwhile.
    if (connection.open) await dispatch.start(connection);
    else this.disconnected(connection, 'it ended while it was registered');
  }

  disconnected(connection: AgentConnection, reason: string): void {
    const { dispatch, sockets, secrets } = this.parts;
    secrets.unwatch(connection);
    dispatch.end(connection);
    const epoch = this.epochs.get(connection);
    this.epochs.delete(connection);
    if (epoch !== undefined) sockets.release(connection.agentId, epoch, reason);
  }

  /** Closes a socket here that another replica took over. */
  takenOver(agentId: string, epoch: number): void {
    const connection = this.parts.registry.find(agentId);
    const own = connection === undefined ? undefined : this.epochs.get(connection);
    if (connection !== undefined && own !== undefined && own < epoch) closeTakenOver(connection);
  }

  async send(text: OrderedText): Promise<OrderedTextOutcome | undefined> {
    const { database, clock, dispatch, ring } = this.parts;
    return database.transaction(async (transaction) => {
      const { agentId, commandId, commandType: type, payload, priority } = text;
      const now = clock.now();
      const added = await dispatch.add(transaction, agentId, { commandId, type, payload, priority }, now);
      if (added.kind === 'unknown_agent') return undefined;
      if (added.kind === 'known') return { commandId, via: added.isSame ? 'known' : 'reused' };
      const record = {
        agentId,
        id: commandId,
        keyId: text.orderedBy,
        conversation: conversationName(text.threadId),
        request: { text: text.text, attachments: [], sendAt: text.sendAt, inReplyTo: null },
      };
      addMessage(transaction, record, now);
      ringAfterCommit(transaction, ring);
      return { commandId, via: added.isPushed ? 'websocket' : 'polling' };
    });
  }

  async counts(agentIds: readonly string[]) {
    const { database } = this.parts;
    return { all: await countAllCommands(database), of: await countCommands(database, agentIds) };
  }

  saw(sighting: Sighting): void {
    this.parts.onSighting(sighting);
  }

  /**
   * Counts a file that is about to be kept. How much there is, is asked once a minute, because counting takes the longer the more there is;
   * what other replicas keep meanwhile may go beyond the limit. Throws EdgeError `disk_full`.
   */
  private async takeUploadRoom(bytes: number): Promise<void> {
    const { database, uploadBytes, clock } = this.parts;
    if (clock.monotonic() >= this.uploaded.askAgainAt) {
      this.uploaded = { bytes: await uploadedBytes(database), askAgainAt: clock.monotonic() + UPLOADED_MS };
    }
    if (this.uploaded.bytes + bytes > uploadBytes) {
      throw new EdgeError(
        'disk_full',
        'The uploaded files have reached their limit.',
        'Raise the limit, or keep files for a shorter time.',
      );
    }
    this.uploaded.bytes += bytes;
  }

  private async take(
    transaction: Transaction,
    agentId: string,
    report: AgentReport,
    now: number,
  ): Promise<void> {
    switch (report.kind) {
      case 'command_ack':
        await takeAck(transaction, agentId, report.ack, now);
        return;
      case 'event':
        if (await takeEvent(transaction, agentId, report.event.event_id, now))
          await publishEvent(transaction, agentId, report.event, now);
        return;
      case 'status':
        await this.takeStatus(transaction, agentId, report.status, now);
        return;
    }
  }

  private async takeStatus(
    transaction: Transaction,
    agentId: string,
    status: Readonly<Record<string, unknown>>,
    now: number,
  ): Promise<void> {
    const { problems, newCodes, hadProblems } = await keepStatus(transaction, agentId, status, now);
    const event = { agentId, conversation: null, at: now };
    if (newCodes.length > 0) {
      const id = eventId('agent.degraded', agentId, now, ...newCodes);
      await publish(
        transaction,
        { ...event, id, type: 'agent.degraded', data: { problems: [...problems] } },
        now,
      );
    } else if (hadProblems && problems.length === 0) {
      const id = eventId('agent.recovered', agentId, now);
      await publish(transaction, { ...event, id, type: 'agent.recovered', data: {} }, now);
    }
  }
}

function closeTakenOver(connection: AgentConnection): void {
  connection.close(CLOSE.replaced, 'another connection with this agent id took over');
}
