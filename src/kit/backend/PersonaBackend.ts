import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import { mintToken, sameText } from '../../gateway/agents/authentication.js';
import type {
  AdminRights,
  Admittance,
  AgentReport,
  Channel,
  EdgeBackend,
  MessageOutcome,
  OrderedText,
  OrderedTextOutcome,
  RegisteredAgent,
  Sighting,
  Upload,
} from '../../gateway/agents/EdgeBackend.js';
import type { MessageBody, RegisterBody } from '../../gateway/agents/requests.js';
import { agentIdOf } from '../../model/agentId.js';
import type { Clock } from '../../system/clock.js';
import type { CommandDelivery } from './CommandDelivery.js';
import type { CommandQueue } from './CommandQueue.js';
import type { ConfigUpdates } from './ConfigUpdates.js';
import type { Journal } from './Journal.js';
import { type MessageAnswers, PersonaLate } from './MessageAnswers.js';

interface PersonaBackendParts {
  clock: Clock;
  queue: CommandQueue;
  delivery: CommandDelivery;
  desk: MessageAnswers;
  journal: Journal;
  configUpdates: ConfigUpdates;
  /** All agents share one. */
  secret: string;
  /** The token that a new agent may register with; undefined: an agent needs the secret. */
  registrationToken: string | undefined;
  /** Undefined: the secret. */
  adminKey: string | undefined;
  log: (line: string) => void;
}

const FULL_RIGHTS: AdminRights = { name: null, maySeeStats: true, maySend: () => true };

/** The backend of the development server: a persona answers, a queue keeps commands, and a journal tells what happened. */
export class PersonaBackend implements EdgeBackend {
  private secret: string;

  constructor(private readonly parts: PersonaBackendParts) {
    this.secret = parts.secret;
  }

  /** From now on only this secret counts; live sockets stay. */
  rotateSecret(secret: string): void {
    this.secret = secret;
  }

  async secretsOf(): Promise<readonly string[]> {
    return [this.secret];
  }

  async operatorOf(adminKey: string): Promise<AdminRights | undefined> {
    return sameText(adminKey, this.parts.adminKey ?? this.secret) ? FULL_RIGHTS : undefined;
  }

  async register(body: RegisterBody, by: Admittance): Promise<RegisteredAgent | undefined> {
    const { registrationToken, journal, clock } = this.parts;
    const isInvited =
      by.kind === 'invitation' && registrationToken !== undefined && sameText(by.token, registrationToken);
    if (by.kind === 'invitation' && !isInvited) return undefined;
    const agentId = agentIdOf(body.user_phone);
    const now = clock.now();
    journal.record({ kind: 'registered', agentId, body });
    if (!isInvited) return { agentId };
    return { agentId, authToken: mintToken(this.secret, agentId, body.user_phone, Math.floor(now / 1000)) };
  }

  async report(agentId: string, reports: readonly AgentReport[], channel: Channel): Promise<void> {
    const { delivery, journal } = this.parts;
    for (const report of reports) {
      if (report.kind === 'command_ack') delivery.acknowledge(agentId, report.ack, channel);
      else if (report.kind === 'event')
        journal.record({ kind: 'event', agentId, channel, body: report.event });
      else journal.record({ kind: 'status', agentId, channel, body: report.status });
    }
    await delivery.stored();
  }

  async handOut(agentId: string) {
    const { delivery, configUpdates } = this.parts;
    const settings = configUpdates.take(agentId);
    return { commands: delivery.handOut(agentId), settings };
  }

  async answer(agentId: string, guid: string, message: MessageBody): Promise<MessageOutcome> {
    try {
      const body = await this.parts.desk.reply(agentId, guid, message);
      return body === undefined ? { kind: 'stopping' } : { kind: 'answered', body };
    } catch (mistake) {
      if (!(mistake instanceof PersonaLate)) throw mistake;
      this.parts.log(`[HTTP] /edge/message failed: ${mistake.message}`);
      return { kind: 'later' };
    }
  }

  async upload(agentId: string, { guid, fields, file }: Upload): Promise<void> {
    const { journal } = this.parts;
    const repeat = journal.photos.some((photo) => photo.agentId === agentId && photo.guid === guid);
    journal.record({ kind: 'photo', agentId, guid, repeat, fields, file });
  }

  async connected(connection: AgentConnection): Promise<void> {
    const { delivery } = this.parts;
    await delivery.stored();
    delivery.redeliver(connection);
  }

  disconnected(): void {
    // The journal has it.
  }

  async send({
    agentId,
    commandId,
    commandType,
    payload,
    priority,
  }: OrderedText): Promise<OrderedTextOutcome> {
    const { delivery } = this.parts;
    const command = { command_type: commandType, payload, command_id: commandId, priority };
    const sent = delivery.push(agentId, command);
    await delivery.stored();
    return sent;
  }

  async counts(agentIds: readonly string[]) {
    const { queue } = this.parts;
    return {
      all: queue.counts(),
      of: new Map(agentIds.map((agentId) => [agentId, queue.counts(agentId)])),
    };
  }

  saw(sighting: Sighting): void {
    this.parts.journal.record(sighting);
  }
}
