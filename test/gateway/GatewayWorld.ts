import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { onTestFinished } from 'vitest';
import { type GatewayAdmin, gatewayAdmin } from '../../src/cli/gateway/gatewayAdmin.js';
import type { WantedCommand } from '../../src/gateway/application.js';
import { Gateway } from '../../src/gateway/Gateway.js';
import type { GatewaySettings } from '../../src/gateway/gatewaySettings.js';
import { addAgent } from '../../src/gateway/ledger/agents.js';
import { createApiKey } from '../../src/gateway/ledger/apiKeys.js';
import { createWebhook } from '../../src/gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase } from '../../src/gateway/storage/GatewayDatabase.js';
import type { Scope } from '../../src/model/gatewayApi.js';
import { systemClock } from '../../src/system/clock.js';
import { systemRandom } from '../../src/system/random.js';
import { AGENT_ID, type Answer, freshToken, PlainSocket, post, SECRET } from '../kit/backend/PlainAgent.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';
import type { GatewayEngine } from './gatewayEngines.js';
import { gatewaySettings } from './gatewaySettings.js';

/** A gateway in this process, on an engine, with the agent of the plain client. */
export class GatewayWorld {
  private constructor(
    readonly gateway: Gateway,
    readonly settings: GatewaySettings,
    readonly log: RecordingLog,
  ) {}

  static async start(engine: GatewayEngine, more: Partial<GatewaySettings> = {}): Promise<GatewayWorld> {
    const world = await GatewayWorld.open(await settingsOn(engine, more));
    await world.addAgent(AGENT_ID, SECRET);
    return world;
  }

  /** Another gateway with these settings: the next one after a stop, or a replica. */
  static async open(settings: GatewaySettings): Promise<GatewayWorld> {
    const log = new RecordingLog();
    const surroundings = { clock: systemClock, random: systemRandom, log };
    const gateway = await Gateway.start(settings, surroundings);
    onTestFinished(() => gateway.stop());
    return new GatewayWorld(gateway, settings, log);
  }

  get url(): string {
    return `http://127.0.0.1:${this.gateway.port}`;
  }

  get webSocketUrl(): string {
    return `ws://127.0.0.1:${this.gateway.port}/edge/ws`;
  }

  /** What its operator may ask of it. */
  get admin(): GatewayAdmin {
    return this.adminOn(this.gateway.database);
  }

  /** The same by a connection of the operator's own. */
  adminOn(database: GatewayDatabase): GatewayAdmin {
    const { box } = this.gateway;
    const places = {
      keys: () => ({ key: this.settings.key, before: [], file: undefined }),
      publicUrl: null,
      localUrl: null,
      allowPrivateWebhooks: true,
    };
    return gatewayAdmin({ database, box, clock: systemClock, ...places });
  }

  async addAgent(id: string, secret: string): Promise<void> {
    const { database, box } = this.gateway;
    const agent = { id, name: null, isInvited: false, secret };
    await database.transaction((transaction) => addAgent(transaction, box, agent, Date.now()));
  }

  /** The secret of a fresh API key. */
  async addKey(scopes: readonly Scope[], agents: readonly string[] | null = null): Promise<string> {
    const wanted = { name: 'a test', scopes, agents };
    const { secret } = await this.gateway.database.transaction((transaction) =>
      createApiKey(transaction, wanted, Date.now()),
    );
    return secret;
  }

  /** Has the gateway post every incoming message to this URL. */
  async addWebhook(url: string): Promise<void> {
    const { database, box } = this.gateway;
    const wanted = { keyId: 'key_1', url, events: ['message.received'], agents: null, description: null };
    await database.transaction((transaction) => createWebhook(transaction, box, wanted, Date.now()));
  }

  /** Keeps a command for an agent, as an application does. */
  async command(
    commandId: string,
    agentId = AGENT_ID,
    what: Pick<WantedCommand, 'type' | 'payload'> = { type: 'list_scheduled', payload: {} },
  ): Promise<void> {
    const command = { commandId, ...what };
    const { database, commands } = this.gateway;
    await database.transaction((transaction) => commands.add(transaction, agentId, command, Date.now()));
  }

  /** A socket that is greeted. */
  connect(agentId = AGENT_ID, secret = SECRET): Promise<PlainSocket> {
    return PlainSocket.connect(this, agentId, secret);
  }

  /** A request of an agent. */
  post(path: string, body: unknown, agentId = AGENT_ID, secret = SECRET): Promise<Answer> {
    const headers = { Authorization: `Bearer ${freshToken(agentId, secret)}`, 'X-Edge-Agent-Id': agentId };
    return post(this, path, body, headers);
  }

  /** The ids of an agent's commands that wait. */
  async waiting(agentId = AGENT_ID): Promise<unknown[]> {
    const { body } = await this.post('/edge/sync', {}, agentId);
    return Array.isArray(body.commands) ? body.commands.map(({ command_id }) => command_id) : [];
  }

  /** The types of the events that applications received, oldest first. */
  async eventTypes(): Promise<unknown[]> {
    const rows = await this.gateway.database.query('SELECT type FROM event_log ORDER BY seq');
    return rows.map(({ type }) => type);
  }
}

/** Settings for an empty database on this engine. */
export async function settingsOn(
  engine: GatewayEngine,
  more: Partial<GatewaySettings> = {},
  test: Pick<TestContext, 'onTestFinished'> = { onTestFinished },
): Promise<GatewaySettings> {
  const place = await engine.place(test);
  const storage =
    engine.name === 'SQLite'
      ? ({ kind: 'sqlite', path: place } as const)
      : ({ kind: 'postgres', url: place } as const);
  return { ...gatewaySettings(storage, join(temporaryDirectory(test), 'uploads')), ...more };
}
