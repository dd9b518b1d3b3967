import { onTestFinished } from 'vitest';
import { connectionTables } from '../../../src/gateway/ledger/connections.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { type Claim, type ReplicaListener, Replicas } from '../../../src/gateway/replicas/Replicas.js';
import type { GatewayDatabase, Transaction } from '../../../src/gateway/storage/GatewayDatabase.js';
import type { Migration } from '../../../src/gateway/storage/migrations.js';
import { PostgresDatabase } from '../../../src/gateway/storage/PostgresDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { TcpProxy } from '../../support/TcpProxy.js';
import type { TestPostgres } from '../../support/testPostgres.js';
import { until } from '../../support/until.js';

const AGENTS = ['agent', 'other', 'of a', 'of b', 'one', 'two', 'three', 'four'];

/** The tables of the sockets alone, with the agents of these tests, and the notifications about them. */
export const SOCKETS: readonly Migration[] = [
  () => [
    'CREATE TABLE agents (agent_id TEXT PRIMARY KEY)',
    ...AGENTS.map((id) => `INSERT INTO agents (agent_id) VALUES ('${id}')`),
    ...connectionTables(),
    'CREATE TABLE told (agent_id TEXT, epoch BIGINT, what TEXT, PRIMARY KEY (agent_id, epoch, what))',
  ],
];

/** Nothing of the replicas falls due twice within so long. */
const STEP_MS = 1_000;

/** A replica on a real database, through a proxy, with a clock of its own; and the notifications that it got. */
export class TestReplica {
  readonly takenOver: [string, number][] = [];
  readonly woken: string[] = [];
  missed = 0;
  leasesLost = 0;
  /** How often it was woken: once a notification, and once a lookup that found its own sockets. */
  wakes = 0;

  private readonly epochs = new Map<string, number>();

  private constructor(
    readonly replicas: Replicas,
    readonly database: GatewayDatabase,
    readonly proxy: TcpProxy,
    readonly clock: FakeClock,
    readonly log: RecordingLog,
  ) {}

  static async start(
    postgres: TestPostgres,
    url: string,
    name: string,
    wallTime = Date.now(),
  ): Promise<TestReplica> {
    const log = new RecordingLog();
    const clock = new FakeClock(wallTime);
    const proxy = await TcpProxy.start(() => postgres);
    onTestFinished(() => proxy.close());
    const database = await PostgresDatabase.open({
      url: proxy.before(url),
      migrations: SOCKETS,
      clock: systemClock,
      random: systemRandom,
      log,
      patience: { closeMs: 100 },
    });
    onTestFinished(() => database.close());
    let replica: TestReplica | undefined;
    const tell = async (transaction: Transaction, agentId: string, epoch: number, what: string) => {
      const add = 'INSERT INTO told (agent_id, epoch, what) VALUES ($1, $2, $3)';
      await transaction.query(add, [agentId, epoch, what]);
    };
    const listener: ReplicaListener = {
      online: async (transaction, agentId, { epoch, wasOnline }) => {
        if (!wasOnline) await tell(transaction, agentId, epoch, 'online');
      },
      offline: (transaction, { agentId, epoch }) => tell(transaction, agentId, epoch, 'offline'),
      takenOver: (agentId, epoch) => replica?.takenOver.push([agentId, epoch]),
      wake: (agentIds) => {
        if (replica === undefined) return;
        replica.woken.push(...agentIds);
        replica.wakes += 1;
      },
      mayHaveMissed: () => {
        if (replica !== undefined) replica.missed += 1;
      },
      leaseLost: () => {
        if (replica !== undefined) replica.leasesLost += 1;
      },
    };
    const replicas = await Replicas.start({
      database,
      box: new SecretBox(Buffer.alloc(32, 1)),
      clock,
      random: () => 0,
      log,
      replicaId: name,
      listener,
    });
    replica = new TestReplica(replicas, database, proxy, clock, log);
    onTestFinished(() => replicas.stop());
    return replica;
  }

  /** The epoch of a claim that succeeds. */
  async claim(agentId: string): Promise<number> {
    const claim: Claim = await this.replicas.claim(agentId, () => true);
    if (claim.kind !== 'held') throw new Error(`the claim was ${claim.kind}`);
    this.epochs.set(agentId, claim.epoch);
    return claim.epoch;
  }

  /** The sockets that it has been given and that are held still. */
  heldAgents(): string[] {
    return [...this.epochs].flatMap(([agentId, epoch]) =>
      this.replicas.holds(agentId, epoch) ? [agentId] : [],
    );
  }

  /** Ends the socket of this agent, if it is here. */
  releaseHeld(agentId: string): void {
    const epoch = this.epochs.get(agentId);
    if (epoch !== undefined) this.replicas.release(agentId, epoch, 'closed');
  }

  /** Lets time pass until the next renewal of the lease has ended well. */
  async renew(): Promise<void> {
    await this.pass(5_000);
  }

  /** Lets time pass; whatever falls due ends before more of it passes. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) await this.sleep(Math.min(left, STEP_MS));
  }

  /** Lets time pass at once, as if the process had not run, and then everything that fell due end. */
  async sleep(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.replicas.settled();
  }
}

/** The state in the database, read past every replica. */
export class Observer {
  private constructor(readonly database: GatewayDatabase) {}

  static async open(url: string): Promise<Observer> {
    const settings = { url, migrations: SOCKETS, clock: systemClock, random: systemRandom };
    const database = await PostgresDatabase.open({ ...settings, log: new RecordingLog() });
    onTestFinished(() => database.close());
    return new Observer(database);
  }

  async rows(): Promise<readonly unknown[]> {
    return this.database.query('SELECT agent_id, replica_id, epoch FROM connections ORDER BY agent_id');
  }

  async told(): Promise<readonly unknown[]> {
    return this.database.query('SELECT agent_id, epoch, what FROM told ORDER BY epoch, what DESC');
  }

  /** As if so many ms had passed by the clock of the database. */
  async age(ms: number): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await transaction.query('UPDATE replicas SET lease_until = lease_until - CAST($1 AS BIGINT)', [ms]);
      await transaction.query('UPDATE connections SET ended_at = ended_at - CAST($1 AS BIGINT)', [ms]);
    });
  }

  async untilRows(expected: (rows: readonly unknown[]) => boolean, what: string): Promise<void> {
    await until(
      async () => expected(await this.rows()),
      () => what,
    );
  }
}
