import { Client } from 'pg';
import type { PostgresServer } from '../../support/PostgresServer.mjs';
import type { TcpProxy } from '../../support/TcpProxy.js';
import type { Seeded } from '../Seeded.js';

/** What the server itself calls a connection of a gateway. */
const GATEWAYS = "application_name = 'edge-agent-gateway'";
/** As the driver asks for it, and as the server answers (Query and CommandComplete of its protocol). */
const COMMIT = 'COMMIT\0';

/** Ends connections of the gateways to their database: at random, in the middle of a commit, or with the whole server. */
export class DatabaseFaults {
  readonly deaths: Record<string, number> = {};
  kills = 0;
  private restarting: Promise<void> | undefined;

  constructor(
    private readonly server: PostgresServer,
    private readonly proxies: readonly TcpProxy[],
    private readonly random: Seeded,
  ) {}

  /** Brings one about. False: the server is just starting. */
  async strike(): Promise<boolean> {
    if (this.restarting !== undefined) return false;
    const way = this.random.weighted({
      'one connection': 3,
      'every connection': 1,
      'commit lost': 3,
      'answer to a commit lost': 4,
      'server crashed': 1,
    });
    switch (way) {
      case 'one connection':
        await this.terminate('ORDER BY random() LIMIT 1');
        break;
      case 'every connection':
        await this.terminate('');
        break;
      case 'commit lost':
        await this.random.pick(this.proxies).next('up', COMMIT, 'cut');
        break;
      case 'answer to a commit lost':
        await this.random.pick(this.proxies).next('down', COMMIT, 'cut');
        break;
      case 'server crashed':
        this.restarting = this.crash().finally(() => {
          this.restarting = undefined;
        });
        break;
    }
    this.deaths[`database: ${way}`] = (this.deaths[`database: ${way}`] ?? 0) + 1;
    this.kills += 1;
    return true;
  }

  /** Nothing lies in wait any more, and the server runs. */
  async end(): Promise<void> {
    for (const proxy of this.proxies) proxy.forgetNext();
    await this.restarting;
  }

  private async crash(): Promise<void> {
    await this.server.crash();
    await this.server.restart();
  }

  private async terminate(which: string): Promise<void> {
    const client = new Client({ connectionString: this.server.urlOf() });
    await client.connect();
    try {
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE ${GATEWAYS} ${which}) AS chosen`,
      );
    } finally {
      await client.end();
    }
  }
}
