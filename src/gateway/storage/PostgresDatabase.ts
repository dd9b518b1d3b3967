import { Pool, type PoolClient } from 'pg';
import { describeError, EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { type Clock, sleep } from '../../system/clock.js';
import type { Random } from '../../system/random.js';
import { ConnectionTurns } from './ConnectionTurns.js';
import type {
  GatewayDatabase,
  Queries,
  StopListening,
  StoredRow,
  StoredValue,
  Transaction,
  Urgency,
} from './GatewayDatabase.js';
import { KeyTurns } from './KeyTurns.js';
import { safely } from './LocalChannels.js';
import { type Migration, migrate } from './migrations.js';
import { type ConnectSettings, clientConfig, destroy, PreparedStatements } from './PostgresClient.js';
import { PostgresListener } from './PostgresListener.js';
import { inOneRoundTrip } from './PostgresRoundTrip.js';
import { PostgresTransaction } from './PostgresTransaction.js';
import { connectFault, postgresFault } from './postgresFault.js';
import { checkNotification, mustRead } from './storable.js';
import { TransactionScope } from './transactionScope.js';
import { Deadline, withinDeadline } from './withinDeadline.js';

interface PostgresSettings {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  url: string;
  migrations: readonly Migration[];
  clock: Clock;
  random: Random;
  log: Logger;
  /** The most connections at a time, besides the one that listens and the one for leases (10). */
  connections?: number;
  /** How long anything waits, in ms. */
  patience?: Partial<Patience>;
}

interface Patience {
  /** For a connection, a new one or a free one of the pool. */
  connectMs: number;
  /** For a statement, on the server. */
  statementMs: number;
  /** For a lock that another transaction holds. */
  lockMs: number;
  /** For one's turn among those of this process that want the same lock, while they get on. */
  turnMs: number;
  /** For the work of a transaction, all its statements together. */
  workMs: number;
  /** For the answer to COMMIT or ROLLBACK. */
  commitMs: number;
  /** From the first attempt of a transaction until none follows any more. */
  attemptsMs: number;
  /** For all migrations together, and for another replica that migrates. */
  migrationMs: number;
  /** For connections to be closed in order. */
  closeMs: number;
}

const PATIENCE: Patience = {
  connectMs: 10_000,
  statementMs: 10_000,
  lockMs: 5_000,
  turnMs: 30_000,
  workMs: 10_000,
  commitMs: 10_000,
  attemptsMs: 15_000,
  migrationMs: 600_000,
  closeMs: 5_000,
};

const CONNECTIONS = 10;

/** The maximum number of tries of a transaction, for temporary failures. */
const MOST_ATTEMPTS = 6;

/** Longest pause before the second attempt, in ms; twice as long before each further one. */
const FIRST_PAUSE_MS = 10;

/** The oldest version that the statements are written for, as PostgreSQL numbers it. */
const OLDEST_VERSION = 140_000;

/** Held by the one who migrates: "edge". */
const MIGRATION_LOCK = 0x65_64_67_65;

type Outcome<T> = { ok: true; value: T } | { ok: false; error: unknown; mayRepeat: boolean };

/**
 * The gateway's database on a PostgreSQL server, for any number of replicas. Statements are prepared once in each connection, so a pooler
 * before the server (PgBouncer) has to keep sessions apart (`pool_mode = session`).
 */
export class PostgresDatabase implements GatewayDatabase {
  readonly dialect = 'postgres';
  readonly nowMs = 'CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)';
  private readonly scope = new TransactionScope();
  private readonly statements = new PreparedStatements();
  private readonly turns: KeyTurns;
  private readonly running = new Set<Promise<unknown>>();
  private readonly clients = new Set<PoolClient>();
  /** Those in use, with what ends the turn of each. */
  private readonly inUse = new Map<PoolClient, () => void>();
  private readonly connectionTurns: ConnectionTurns;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly pool: Pool,
    private readonly listener: PostgresListener,
    private readonly settings: PostgresSettings,
    private readonly patience: Patience,
  ) {
    this.turns = new KeyTurns(settings.clock, patience);
    const { clock, connections = CONNECTIONS } = settings;
    this.connectionTurns = new ConnectionTurns(clock, connections, patience.connectMs);
    // Errors of idle connections: the next one is created when it is needed.
    pool.on('error', this.noteLoss);
    pool.on('connect', (client) => this.clients.add(client));
    pool.on('remove', (client) => this.clients.delete(client));
  }

  /**
   * Connects, checks that the server stores data durably, and migrates the schema while no other replica does. Rejects
   * with EdgeError `storage_unavailable`, `storage_unsuitable`, `storage_read_only`, `store_newer` or `internal` (a
   * migration that is wrong).
   */
  static async open(settings: PostgresSettings): Promise<PostgresDatabase> {
    const patience = { ...PATIENCE, ...settings.patience };
    const connecting: ConnectSettings = { url: checkedUrl(settings.url), ...patience };
    const pool = new Pool({ ...clientConfig(connecting), max: (settings.connections ?? CONNECTIONS) + 1 });
    const listener = new PostgresListener(connecting, settings);
    const database = new PostgresDatabase(pool, listener, settings, patience);
    try {
      await database.checkServer();
      await database.migrate();
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    return this.read(sql, values, 'usual');
  }

  readonly soon: Queries = {
    dialect: this.dialect,
    nowMs: this.nowMs,
    query: (sql, values = []) => this.read(sql, values, 'soon'),
  };

  get waitingMs(): number {
    return this.connectionTurns.waitingMs;
  }

  async transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    urgency: Urgency = 'usual',
  ): Promise<T> {
    this.scope.mustBeOutside();
    return this.whileOpen(() => this.repeat(() => this.attempt(work, this.patience.workMs, urgency)));
  }

  async notify(channel: string, payload: string): Promise<void> {
    checkNotification(channel, payload);
    this.scope.mustBeOutside();
    const notify = () => this.alone('SELECT pg_notify($1, $2)', [channel, payload], 'soon');
    await this.whileOpen(() => this.repeat(notify));
  }

  async listen(
    channel: string,
    received: (payload: string) => void,
    missed: () => void,
  ): Promise<StopListening> {
    checkNotification(channel);
    return this.whileOpen(() => this.listener.listen(channel, received, missed));
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async read(
    sql: string,
    values: readonly StoredValue[],
    urgency: Urgency,
  ): Promise<readonly StoredRow[]> {
    mustRead(sql);
    this.scope.mustBeOutside();
    return this.whileOpen(() => this.repeat(() => this.alone(sql, values, urgency)));
  }

  private async whileOpen<T>(run: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new EdgeError('storage_unavailable', 'The database is closed.');
    const running = run();
    this.running.add(running);
    try {
      return await running;
    } finally {
      this.running.delete(running);
    }
  }

  /** Bounded: a connection that cannot be closed in order is cut. */
  private async finish(): Promise<void> {
    await Promise.allSettled(this.running);
    const open = new Set<PoolClient>(this.clients);
    const ended = Promise.all([this.listener.close(), this.pool.end()]);
    const cut = () => {
      for (const client of open) destroy(client);
      return new Error('late');
    };
    await withinDeadline(this.settings.clock, this.patience.closeMs, ended, cut).catch((error: unknown) =>
      this.settings.log.debug('A connection to the database was cut', { reason: describeError(error) }),
    );
  }

  /** Retries temporary failures, at increasing intervals. */
  private async repeat<T>(attempt: () => Promise<Outcome<T>>): Promise<T> {
    const { clock, random, log } = this.settings;
    const end = clock.monotonic() + this.patience.attemptsMs;
    for (let count = 1; ; count += 1) {
      const outcome = await attempt();
      if (outcome.ok) return outcome.value;
      if (!outcome.mayRepeat || count === MOST_ATTEMPTS || clock.monotonic() >= end) throw outcome.error;
      log.debug('A transaction is tried again', { attempt: count, reason: describeError(outcome.error) });
      await sleep(clock, random() * FIRST_PAUSE_MS * 2 ** count);
    }
  }

  private async attempt<T>(
    work: (transaction: Transaction) => Promise<T>,
    workMs: number,
    urgency: Urgency,
  ): Promise<Outcome<T>> {
    const { clock, log } = this.settings;
    const { commitMs, connectMs, turnMs } = this.patience;
    const deadline = new Deadline(clock, () => {
      transaction.abandon();
      return new EdgeError(
        'storage_unavailable',
        `The work of a transaction was not over after ${workMs} ms.`,
      );
    });
    const transaction = new PostgresTransaction({
      connect: () => this.connect(urgency),
      release: (client, isReusable) => this.release(client, isReusable),
      onConnect: () => deadline.setTo(workMs),
      turns: this.turns,
      urgency,
      nowMs: this.nowMs,
      statements: this.statements,
      clock,
      commitMs,
    });
    // For its turn and for a connection it may wait before.
    deadline.setTo(workMs + turnMs + 2 * connectMs);
    try {
      const value = await deadline.of(this.scope.inside(() => work(transaction)));
      for (const hook of await transaction.commit()) safely(log, hook);
      return { ok: true, value };
    } catch (error) {
      await transaction.undo();
      return { ok: false, error, mayRepeat: transaction.fault?.mayRepeat ?? false };
    } finally {
      transaction.release();
    }
  }

  /** One statement, in a separate transaction. */
  private async alone(
    sql: string,
    values: readonly StoredValue[],
    urgency: Urgency,
  ): Promise<Outcome<readonly StoredRow[]>> {
    const { clock } = this.settings;
    const ms = this.patience.workMs;
    const statement = this.statements.of(sql, values);
    const client = await this.connect(urgency);
    let isReusable = true;
    try {
      const late = () => {
        destroy(client);
        return new Error(`no answer within ${ms} ms`);
      };
      const [result] = await withinDeadline(clock, ms, inOneRoundTrip(client, [statement]), late);
      if (result?.mistake !== undefined) throw result.mistake;
      return { ok: true, value: result?.rows ?? [] };
    } catch (cause) {
      const { error, mayRepeat, connection } = postgresFault(cause);
      isReusable = connection === 'kept';
      return { ok: false, error, mayRepeat };
    } finally {
      this.release(client, isReusable);
    }
  }

  /** An exclusive connection until it is released. Rejects with EdgeError `storage_unavailable`. */
  private async connect(urgency: Urgency): Promise<PoolClient> {
    const endTurn = await this.connectionTurns.take(urgency);
    try {
      const client = await this.pool.connect();
      // Its statements reject as well; without a listener the process would end.
      client.on('error', this.noteLoss);
      this.inUse.set(client, endTurn);
      return client;
    } catch (cause) {
      endTurn();
      throw connectFault(cause);
    }
  }

  private release(client: PoolClient, isReusable: boolean): void {
    client.off('error', this.noteLoss);
    const endTurn = this.inUse.get(client);
    this.inUse.delete(client);
    client.release(!isReusable);
    if (!isReusable) this.dropIdle();
    endTurn?.();
  }

  /** After a failover the others lead to a server that is gone too, and each would cost a deadline to find that out. */
  private dropIdle(): void {
    for (const client of this.clients) if (!this.inUse.has(client)) destroy(client);
  }

  private readonly noteLoss = (error: unknown) => {
    this.settings.log.debug('A connection to the database was lost', { reason: describeError(error) });
  };

  private async checkServer(): Promise<void> {
    const [row] = await this.query(
      `SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding,
              current_setting('synchronous_commit') AS commits, current_setting('fsync') AS fsync`,
    );
    const fault = serverFault(row);
    if (fault !== undefined) throw new EdgeError('storage_unsuitable', fault.message, fault.remedy);
  }

  private async migrate(): Promise<void> {
    const { migrationMs } = this.patience;
    const work = async (transaction: Transaction) => {
      for (const setting of ['statement_timeout', 'lock_timeout']) {
        await transaction.query(`SET LOCAL ${setting} = ${migrationMs}`);
      }
      await transaction.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
      await migrate(transaction, this.settings.migrations);
    };
    await this.whileOpen(() => this.repeat(() => this.attempt(work, 2 * migrationMs, 'usual')));
  }
}

/** What of the server would lose or change what it is given. */
function serverFault(row: StoredRow = {}): { message: string; remedy: string } | undefined {
  if (Number(row.version) < OLDEST_VERSION) {
    return { message: `PostgreSQL ${row.version} is too old.`, remedy: 'Use PostgreSQL 14 or newer.' };
  }
  if (row.encoding !== 'UTF8') {
    const message = `The database has the encoding ${row.encoding}, which cannot keep every text.`;
    return { message, remedy: "Create it with ENCODING 'UTF8'." };
  }
  if (row.commits === 'off') {
    const message = 'synchronous_commit is off: a crash of the server would lose what it has confirmed.';
    return { message, remedy: 'ALTER ROLE … SET synchronous_commit = on.' };
  }
  if (row.fsync === 'off') {
    const message = 'fsync is off: a crash of the machine would lose what the server has confirmed.';
    return { message, remedy: 'Set fsync = on in postgresql.conf.' };
  }
  return undefined;
}

function checkedUrl(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new EdgeError(
    'config_invalid',
    'The URL of the database is not one of PostgreSQL.',
    'Write it as postgres://user:password@host:5432/database.',
  );
}
