import { chmodSync, closeSync, existsSync, openSync, realpathSync } from 'node:fs';
import { describeError, EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { InstanceLock } from '../../store/InstanceLock.js';
import { type Database, openDatabase, openDurableDatabase } from '../../store/sqlite.js';
import type { Clock } from '../../system/clock.js';
import { systemCode } from '../../system/failures.js';
import type {
  GatewayDatabase,
  Queries,
  StopListening,
  StoredRow,
  StoredValue,
  Transaction,
  Urgency,
} from './GatewayDatabase.js';
import { LocalChannels, safely } from './LocalChannels.js';
import { type Migration, migrate } from './migrations.js';
import { asStorageError, SqliteConnection } from './SqliteConnection.js';
import { checkNotification, mustRead, storableText } from './storable.js';
import { TransactionScope } from './transactionScope.js';
import { withinDeadline } from './withinDeadline.js';

/** So many transactions at most share a commit: what comes meanwhile waits for all of them. */
const GROUP_LIMIT = 500;

/** How long the work of a transaction may take, in ms, unless the caller says otherwise: the others wait behind it. */
const WORK_MS = 10_000;

/** How long a transaction waits for the lock of another program (a backup, a shell), in ms: the whole gateway waits with it. */
const LOCK_PATIENCE_MS = 1_000;

/** 1 TiB: the disk is full before. */
const LARGEST_FILE_BYTES = 2 ** 40;

/** The path of a database that is in memory, and gone with the process. */
export const IN_MEMORY = ':memory:';

interface SqliteSettings {
  /** The file, or `IN_MEMORY`. */
  path: string;
  migrations: readonly Migration[];
  clock: Clock;
  log: Logger;
  /** The longest that the work of one transaction may take, in ms. */
  workMs?: number;
}

interface Waiting {
  /** When it came, by the monotonic clock. */
  since: number;
  /** Returns the function that reports success to the caller. */
  work: (transaction: Transaction) => Promise<() => void>;
  reject: (error: unknown) => void;
}

/** How the work of a transaction ended, before the commit that it shares. */
type Ended = { ok: true; hooks: readonly (() => void)[] } | { ok: false; error: unknown };

/**
 * The gateway's database in one SQLite file, for one process. Transactions run one by one; those of one turn of the
 * event loop share a commit, because each commit waits for the disk. Each has its own savepoint, so a failing one is
 * rolled back alone, and all of them resolve after the commit. Reads outside of transactions use a second connection,
 * which sees only commits; an in-memory database has one connection, so a read there takes its turn among the
 * transactions.
 */
export class SqliteDatabase implements GatewayDatabase {
  readonly dialect = 'sqlite';
  readonly nowMs = "CAST(unixepoch('subsec') * 1000 AS BIGINT)";
  private readonly channels: LocalChannels;
  private readonly scope = new TransactionScope();
  private readonly urgent: Waiting[] = [];
  private readonly usual: Waiting[] = [];
  private turns: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly writer: SqliteConnection,
    /** Undefined: in memory. */
    private readonly reader: SqliteConnection | undefined,
    private readonly lock: InstanceLock | undefined,
    private readonly settings: SqliteSettings,
  ) {
    this.channels = new LocalChannels(settings.log);
  }

  /**
   * Opens or creates the file (mode 0600) and migrates its schema. Rejects with EdgeError `storage_in_use` while
   * another process has it, `store_newer`, `store_damaged`, `storage_unsuitable` for a file of another program, or as
   * `transaction` does.
   */
  static async open(settings: SqliteSettings): Promise<SqliteDatabase> {
    const isInMemory = settings.path === IN_MEMORY;
    const path = isInMemory ? IN_MEMORY : ownFile(settings.path);
    const lock = isInMemory ? undefined : acquire(path);
    const open: SqliteConnection[] = [];
    const connect = (database: Database) => {
      const connection = new SqliteConnection(database);
      open.push(connection);
      return connection;
    };
    try {
      const writer = connect(openDurableDatabase(path, { largestBytes: LARGEST_FILE_BYTES }));
      writer.query(`PRAGMA busy_timeout = ${LOCK_PATIENCE_MS}`, []);
      refuseForeign(writer, path);
      const reader = isInMemory ? undefined : connect(openDatabase(path, { readonly: true }));
      const database = new SqliteDatabase(writer, reader, lock, settings);
      await database.transaction((transaction) => migrate(transaction, settings.migrations));
      return database;
    } catch (error) {
      for (const connection of open) connection.close();
      lock?.release();
      throw asStorageError(error);
    }
  }

  async query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    mustRead(sql);
    this.scope.mustBeOutside();
    this.mustBeOpen();
    if (this.reader === undefined)
      return this.transaction((transaction) => transaction.query(sql, values), 'soon');
    return this.reader.query(sql, values);
  }

  /** Reads of a file do not wait here. */
  readonly soon: Queries = this;

  get waitingMs(): number {
    const [first] = this.usual;
    return first === undefined ? 0 : this.settings.clock.monotonic() - first.since;
  }

  async transaction<T>(
    work: (transaction: Transaction) => Promise<T>,
    urgency: Urgency = 'usual',
  ): Promise<T> {
    this.scope.mustBeOutside();
    this.mustBeOpen();
    return new Promise<T>((resolve, reject) => {
      const run = async (transaction: Transaction) => {
        const value = await work(transaction);
        return () => resolve(value);
      };
      const queue = urgency === 'usual' ? this.usual : this.urgent;
      queue.push({ since: this.settings.clock.monotonic(), work: run, reject });
      this.turns ??= this.takeTurns();
    });
  }

  async notify(channel: string, payload: string): Promise<void> {
    checkNotification(channel, payload);
    this.mustBeOpen();
    const text = storableText(payload);
    setImmediate(() => this.channels.notify(channel, text));
  }

  async listen(channel: string, received: (payload: string) => void): Promise<StopListening> {
    checkNotification(channel);
    this.mustBeOpen();
    this.channels.add(channel, received);
    return async () => {
      this.channels.remove(channel, received);
    };
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    await this.turns;
    this.reader?.close();
    this.writer.close();
    this.lock?.release();
  }

  private mustBeOpen(): void {
    if (this.closing === undefined) return;
    throw new EdgeError('storage_unavailable', 'The database is closed.');
  }

  private async takeTurns(): Promise<void> {
    while (this.urgent.length + this.usual.length > 0) {
      // Other transactions of this turn of the event loop belong to the same group.
      await new Promise((resolve) => setImmediate(resolve));
      const urgent = this.urgent.splice(0, GROUP_LIMIT);
      await this.commitGroup([...urgent, ...this.usual.splice(0, GROUP_LIMIT - urgent.length)]);
    }
    this.turns = undefined;
  }

  /** Settles every transaction of the group. Where one had SQLite undo all of them, as on a full disk, each is tried alone. */
  private async commitGroup(group: readonly Waiting[]): Promise<void> {
    const fault = await this.tryGroup(group).catch((error: unknown) => error);
    if (fault === undefined) return;
    if (group.length > 1 && !isOfAll(fault)) for (const one of group) await this.commitGroup([one]);
    else for (const { reject } of group) reject(fault);
  }

  /** The error that undid all of them; undefined if each is settled. Rejects for a failure at which nothing was begun. */
  private async tryGroup(group: readonly Waiting[]): Promise<unknown> {
    const ended: Ended[] = [];
    // Left open where even a ROLLBACK failed.
    if (this.writer.inTransaction) this.writer.query('ROLLBACK', []);
    this.writer.query('BEGIN IMMEDIATE', []);
    for (const { work } of group) {
      const end = await this.run(work);
      if (!end.ok && !this.writer.inTransaction) return end.error;
      ended.push(end);
    }
    try {
      this.writer.query(ended.some(({ ok }) => ok) ? 'COMMIT' : 'ROLLBACK', []);
    } catch (error) {
      if (this.writer.inTransaction) this.writer.query('ROLLBACK', []);
      return asCommitError(error);
    }
    for (const [index, end] of ended.entries()) {
      if (!end.ok) group[index]?.reject(end.error);
      else for (const tell of end.hooks) safely(this.settings.log, tell);
    }
    return undefined;
  }

  private async run(work: Waiting['work']): Promise<Ended> {
    const { clock, workMs = WORK_MS } = this.settings;
    const transaction = new SqliteTransaction(this, this.writer);
    const late = () =>
      new EdgeError('storage_unavailable', `The work of a transaction was not over after ${workMs} ms.`);
    try {
      this.writer.query('SAVEPOINT work', []);
      const tell = await withinDeadline(
        clock,
        workMs,
        this.scope.inside(() => work(transaction)),
        late,
      );
      const hooks = transaction.end();
      this.writer.query('RELEASE work', []);
      return { ok: true, hooks: [...hooks, tell] };
    } catch (error) {
      transaction.forgo();
      this.undoSavepoint();
      return { ok: false, error };
    }
  }

  private undoSavepoint(): void {
    if (!this.writer.inTransaction) return;
    try {
      this.writer.query('ROLLBACK TO work', []);
      this.writer.query('RELEASE work', []);
    } catch {
      // Then all of the group is undone, and the caller tries each alone.
      this.writer.query('ROLLBACK', []);
    }
  }
}

/** What the disk has of a commit whose flush failed is not known until the file is opened again. */
function asCommitError(error: unknown): unknown {
  if (!String(systemCode(error)).startsWith('SQLITE_IOERR')) return error;
  return new EdgeError('commit_unknown', `The disk failed in a commit: ${describeError(error)}`, '', {
    cause: error,
  });
}

/** What would fail each of a group alike; anything else one of them may have caused, so that the others can do without it. */
const isOfAll = (fault: unknown) =>
  fault instanceof EdgeError && /^(commit_unknown|storage_.+|store_damaged)$/.test(fault.code);

class SqliteTransaction implements Transaction {
  private readonly hooks: (() => void)[] = [];
  private isOver = false;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly writer: SqliteConnection,
  ) {}

  readonly dialect = 'sqlite';

  get nowMs(): string {
    return this.database.nowMs;
  }

  query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    const rows = this.ask(sql, values);
    // If no one waits for it, the commit reports its failure.
    rows.catch(() => undefined);
    return rows;
  }

  async lock(): Promise<void> {
    this.mustRun();
  }

  afterCommit(run: () => void): void {
    this.mustRun();
    this.hooks.push(run);
  }

  /** What is to be called after the commit. Throws what a statement failed with. */
  end(): readonly (() => void)[] {
    this.isOver = true;
    if (this.failure !== undefined) throw this.failure.error;
    return this.hooks;
  }

  forgo(): void {
    this.isOver = true;
  }

  private async ask(sql: string, values: readonly StoredValue[]): Promise<readonly StoredRow[]> {
    this.mustRun();
    try {
      return this.writer.query(sql, values);
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }

  private mustRun(): void {
    if (!this.isOver) return;
    throw new EdgeError('internal', 'The transaction is over.');
  }
}

/** The real path of the file, which is made if it is missing: SQLite gives its companions the mode that it has. */
function ownFile(path: string): string {
  try {
    if (existsSync(path)) chmodSync(path, 0o600);
    else closeSync(openSync(path, 'a', 0o600));
    return realpathSync(path);
  } catch (cause) {
    throw new EdgeError(
      systemCode(cause) === 'EROFS' ? 'storage_read_only' : 'storage_unavailable',
      `The database ${path} cannot be opened: ${describeError(cause)}.`,
      'Check that its directory exists and belongs to this user.',
      { cause },
    );
  }
}

/** The kernel releases it with the process, however that ends. */
function acquire(path: string): InstanceLock {
  return InstanceLock.acquire(`${path}.lock`, (_, cause) => {
    return new EdgeError(
      'storage_in_use',
      `Another gateway uses ${path}.`,
      'Stop the other one first. Several gateways need PostgreSQL: set DATABASE_URL.',
      { cause },
    );
  });
}

/** A file that another program wrote, such as the agent's own store, is not made into a gateway's. */
function refuseForeign(writer: SqliteConnection, path: string): void {
  const names = writer
    .query("SELECT name FROM sqlite_master WHERE type = 'table'", [])
    .map(({ name }) => name);
  if (names.length === 0 || names.includes('gateway_schema')) return;
  throw new EdgeError(
    'storage_unsuitable',
    `${path} is the SQLite file of another program.`,
    'Name another file, or one that does not exist yet.',
  );
}
