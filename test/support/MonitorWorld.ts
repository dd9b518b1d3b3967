import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientOptions } from 'ws';
import type { AgentStatus } from '../../src/model/monitorFrames.js';
import type { MonitorHandler } from '../../src/monitor/ClientFrames.js';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { MonitorServer } from '../../src/monitor/MonitorServer.js';
import { makeToken } from '../../src/monitor/tokens.js';
import type { Store } from '../../src/store/Store.js';
import { type Clock, systemClock } from '../../src/system/clock.js';
import type { Cleanup } from './EdgeWorld.js';
import { RecordingLog } from './RecordingLog.js';
import { statusFixture } from './statusFixture.js';
import { openTestStore } from './temporaryStore.js';
import { WatchingClient } from './WatchingClient.js';

export const IDLE: AgentStatus = { agentName: 'edge_1', state: 'idle' };

/** A real monitor on a free port, with its secret in a directory of its own, and plain clients for it. */
export class MonitorWorld {
  private readonly clients: WatchingClient[] = [];

  private constructor(
    readonly directory: string,
    readonly pageDirectory: string,
    readonly secret: MonitorSecret,
    readonly clock: Clock,
    readonly server: MonitorServer,
    readonly store: Store,
    readonly log: RecordingLog,
    /** The reports about connected clients. */
    readonly watched: readonly boolean[],
  ) {}

  static async open(
    { onTestFinished }: Cleanup,
    options: {
      clock?: Clock;
      verbs?: Record<string, MonitorHandler>;
      port?: number;
      agentStatus?: () => AgentStatus;
      /** Of an earlier life. */
      directory?: string;
    } = {},
  ): Promise<MonitorWorld> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'edge-monitor-'));
    const pageDirectory = join(directory, 'page');
    const secret = MonitorSecret.in(directory);
    const clock = options.clock ?? systemClock;
    const watched: boolean[] = [];
    const log = new RecordingLog();
    const store = openTestStore(join(directory, 'edge-agent.db'), { clock, log });
    const server = new MonitorServer({
      useLink: (id, madeAt) => store.write(() => store.usedLinks.use(id, madeAt)),
      port: options.port ?? 0,
      ...{ secret, pageDirectory, clock, log },
      verbs: options.verbs ?? {},
      agentStatus: options.agentStatus ?? (() => IDLE),
      status: () => statusFixture(),
      onWatched: (is) => watched.push(is),
    });
    await server.start();
    const world = new MonitorWorld(directory, pageDirectory, secret, clock, server, store, log, watched);
    onTestFinished(async () => {
      for (const client of world.clients) client.close();
      await server.stop();
      store.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    });
    return world;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  url(token?: string): string {
    return `ws://127.0.0.1:${this.server.port}/ws${token === undefined ? '' : `?token=${token}`}`;
  }

  token(user = 'ann', ttlMs = 3_600_000): Promise<string> {
    return makeToken(this.secret.key(), { use: 'session', user, ttlMs, now: this.clock.now() });
  }

  /** Somebody with a valid token, who has been greeted. */
  async operator(user = 'ann', ttlMs?: number): Promise<WatchingClient> {
    const client = await this.connect(await this.token(user, ttlMs));
    await client.heard('auth');
    return client;
  }

  async connect(token?: string, options: ClientOptions = {}): Promise<WatchingClient> {
    const client = await WatchingClient.open(this.url(token), options);
    this.clients.push(client);
    return client;
  }
}
