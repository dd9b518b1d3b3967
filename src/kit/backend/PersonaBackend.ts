import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import { sameText } from '../../gateway/agents/authentication.js';
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
import type { CommandWire } from './CommandWire.js';
import type { ConfigUpdates } from './ConfigUpdates.js';
import type { Journal } from './Journal.js';
import { type PersonaApplication, PersonaLate } from './PersonaApplication.js';
import type { SharedSecret } from './SharedSecret.js';

interface PersonaBackendParts {
  agents: SharedSecret;
  application: PersonaApplication;
  wire: CommandWire;
  journal: Journal;
  configUpdates: ConfigUpdates;
  /** Undefined: the secret. */
  adminKey: string | undefined;
  log: (line: string) => void;
}

const FULL_RIGHTS: AdminRights = { name: null, maySeeStats: true, maySend: () => true };

/**
 * A layer in front of the backend of a gateway for development: one secret for all agents and one key for the operator,
 * a journal of events, and pending settings. The rest is the gateway's.
 */
export class PersonaBackend implements EdgeBackend {
  constructor(
    private readonly gateway: EdgeBackend,
    private readonly parts: PersonaBackendParts,
  ) {}

  secretsOf(): Promise<readonly string[]> {
    return this.parts.agents.of();
  }

  async operatorOf(adminKey: string): Promise<AdminRights | undefined> {
    const [secret = ''] = await this.parts.agents.of();
    return sameText(adminKey, this.parts.adminKey ?? secret) ? FULL_RIGHTS : undefined;
  }

  /** An agent that has the secret is the one of its phone number. */
  async register(body: RegisterBody, by: Admittance): Promise<RegisteredAgent | undefined> {
    const agentId = agentIdOf(body.user_phone);
    if (by.kind === 'credentials') await this.parts.agents.know(agentId);
    const admittance = by.kind === 'credentials' ? { ...by, agentId } : by;
    const registered = await this.gateway.register(body, admittance);
    if (registered !== undefined) this.parts.journal.record({ kind: 'registered', agentId, body });
    return registered;
  }

  async report(agentId: string, reports: readonly AgentReport[], channel: Channel): Promise<void> {
    const { agents, journal, wire } = this.parts;
    await agents.know(agentId);
    await this.gateway.report(agentId, reports, channel);
    for (const report of reports) {
      if (report.kind === 'command_ack') wire.acked(agentId, report.ack.command_id);
      if (report.kind === 'command_ack') journal.record({ kind: 'ack', agentId, channel, body: report.ack });
      else if (report.kind === 'event')
        journal.record({ kind: 'event', agentId, channel, body: report.event });
      else journal.record({ kind: 'status', agentId, channel, body: report.status });
    }
  }

  async handOut(agentId: string) {
    const { agents, wire, configUpdates } = this.parts;
    await agents.know(agentId);
    const { commands } = await this.gateway.handOut(agentId);
    const settings = configUpdates.take(agentId);
    return {
      commands: commands.map((command) => wire.inSync(agentId, command)),
      ...(settings === undefined ? {} : { settings }),
    };
  }

  /** A persona that fails ends the requests that wait for its answer; the message is kept, and the agent posts it again. */
  async answer(
    agentId: string,
    guid: string,
    message: MessageBody,
    hungUp: AbortSignal,
  ): Promise<MessageOutcome> {
    const { agents, application, log } = this.parts;
    await agents.know(agentId);
    const over = new AbortController();
    const signal = AbortSignal.any([hungUp, over.signal]);
    let stop: () => void = () => undefined;
    try {
      return await new Promise<MessageOutcome>((resolve, reject) => {
        stop = application.onFailure(agentId, guid, reject);
        this.gateway.answer(agentId, guid, message, signal).then(resolve, reject);
      });
    } catch (mistake) {
      if (!(mistake instanceof PersonaLate)) throw mistake;
      log(`[HTTP] /edge/message failed: ${mistake.message}`);
      return { kind: 'later' };
    } finally {
      stop();
      over.abort();
    }
  }

  async upload(agentId: string, upload: Upload): Promise<void> {
    const { agents, journal } = this.parts;
    const { guid, fields, file } = upload;
    await agents.know(agentId);
    await this.gateway.upload(agentId, upload);
    const repeat = journal.photos.some((photo) => photo.agentId === agentId && photo.guid === guid);
    journal.record({ kind: 'photo', agentId, guid, repeat, fields: { ...fields }, file });
  }

  async connected(connection: AgentConnection): Promise<void> {
    await this.parts.agents.know(connection.agentId);
    await this.gateway.connected(connection);
  }

  disconnected(connection: AgentConnection, reason: string): void {
    this.gateway.disconnected(connection, reason);
  }

  async send(text: OrderedText): Promise<OrderedTextOutcome | undefined> {
    await this.parts.agents.know(text.agentId);
    return this.gateway.send(text);
  }

  counts(agentIds: readonly string[]) {
    return this.gateway.counts(agentIds);
  }

  saw(sighting: Sighting): void {
    this.parts.journal.record(sighting);
    this.gateway.saw(sighting);
  }
}
