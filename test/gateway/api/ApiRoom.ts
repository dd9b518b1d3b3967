import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { ApiServer, type ApiServerOptions } from '../../../src/gateway/api/ApiServer.js';
import type { CommandIntake } from '../../../src/gateway/application.js';
import { EventBell } from '../../../src/gateway/events/EventBell.js';
import { addAgent } from '../../../src/gateway/ledger/agents.js';
import { createApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import { addCommand, addFreshCommand, waitingCommands } from '../../../src/gateway/ledger/commands.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { apiErrorSchema, type Scope } from '../../../src/model/gatewayApi.js';
import { systemClock } from '../../../src/system/clock.js';
import { RecordingLog } from '../../support/RecordingLog.js';

export const AGENT = 'edge_13105550100';
export const OTHER_AGENT = 'edge_13105550199';
export const PERSON = '+13105551234';

const jsonObject = z.record(z.string(), z.unknown());

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** The API of a gateway over a real database and real HTTP, with two agents and the ledger of their commands. */
export class ApiRoom {
  readonly log = new RecordingLog();
  readonly box = new SecretBox(randomBytes(32));
  /** Every replica's URL; all are over one database. */
  readonly urls: string[] = [];
  readonly servers: ApiServer[] = [];
  readonly bell: EventBell;
  admin = '';

  private constructor(readonly database: GatewayDatabase) {
    this.bell = new EventBell(database, systemClock, this.log);
  }

  static async open(database: GatewayDatabase, changed: Partial<ApiServerOptions> = {}): Promise<ApiRoom> {
    const room = new ApiRoom(database);
    await room.bell.start();
    onTestFinished(() => room.bell.stop());
    for (const id of [AGENT, OTHER_AGENT]) {
      const agent = { id, name: null, isInvited: false };
      await database.transaction((tx) => addAgent(tx, room.box, agent, systemClock.now()));
    }
    room.admin = await room.key(['admin'], null);
    await room.serve(changed);
    return room;
  }

  /** Starts another replica. */
  async serve(changed: Partial<ApiServerOptions> = {}): Promise<string> {
    const commands: CommandIntake = {
      add: async (transaction, agentId, command, now) => {
        return (await addCommand(transaction, agentId, command, now)).kind !== 'unknown_agent';
      },
      addFresh: async (...order) => (await addFreshCommand(...order)) !== undefined,
    };
    const api = new ApiServer({
      database: this.database,
      commands,
      bell: this.bell,
      box: this.box,
      uploads: { read: async () => undefined },
      clock: systemClock,
      log: this.log,
      allowPrivateAddresses: true,
      ...changed,
    });
    const server = createServer((request, response) => void api.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      await api.stop();
      await close(server);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.urls.push(url);
    this.servers.push(api);
    return url;
  }

  async key(scopes: readonly Scope[], agents: readonly string[] | null = [AGENT]): Promise<string> {
    const made = await this.database.transaction((tx) =>
      createApiKey(tx, { name: 'test', scopes, agents }, systemClock.now()),
    );
    return made.secret;
  }

  /** Asks the first replica, or another one. */
  async ask(
    method: string,
    path: string,
    {
      body,
      key = this.admin,
      headers = {},
      at = 0,
    }: {
      body?: unknown;
      key?: string | undefined;
      headers?: Record<string, string>;
      at?: number;
    } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.urls[at]}${path}`, {
      method,
      headers: { ...(key === '' ? {} : { Authorization: `Bearer ${key}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: jsonObject.parse(await response.json()),
    };
  }

  /** The code of an error; every error has the one form. */
  async refusal(method: string, path: string, options: Parameters<ApiRoom['ask']>[2] = {}) {
    const { status, body } = await this.ask(method, path, options);
    const { error } = apiErrorSchema.parse(body);
    return { status, code: error.code, type: error.type, field: error.field };
  }

  async send(
    wanted: Record<string, unknown> = {},
    options: Parameters<ApiRoom['ask']>[2] = {},
  ): Promise<Answer> {
    return this.ask('POST', '/v1/messages', {
      body: { agent: AGENT, to: PERSON, text: 'hello', ...wanted },
      ...options,
    });
  }

  async commands(agentId = AGENT) {
    return (await waitingCommands(this.database, agentId, 0, 100)).flatMap(({ command }) => command ?? []);
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
