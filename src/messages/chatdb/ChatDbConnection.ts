import { closeSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, Statement } from 'better-sqlite3';
import BetterSqlite3 from 'better-sqlite3';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { ErrorCode } from '../../model/errorCodes.js';
import type { Problem } from '../../model/problem.js';
import { CACHE_KIB, openDatabase } from '../../store/sqlite.js';
import type { Clock } from '../../system/clock.js';
import { appAround } from '../../system/nodeProgram.js';
import { hasTable, Schema, standIn } from './schema.js';

/** An opened chat.db. Statements prepared on it die with it. */
export interface OpenChatDb {
  readonly database: Database;
  readonly schema: Schema;
  readonly generation: string;
}

interface Connection extends OpenChatDb {
  readonly identity: string;
  readonly version: Statement<unknown[]>;
  readonly begin: Statement<unknown[]>;
  readonly end: Statement<unknown[]>;
  readonly absent: readonly string[];
}

/** `busy`: another program holds a lock; the next look will do. `closed`: see `access()`. */
export type Reading<T> = { kind: 'read'; value: T } | { kind: 'busy' } | { kind: 'closed' };

/**
 * How long a read waits for another program's lock, in ms: the whole agent waits with it, and the next look comes soon.
 * In WAL mode, as Messages has it, writers do not lock readers out; recovery and maintenance do.
 */
const LOCK_PATIENCE_MS = 100;
/** How long after a failed attempt the next is made. An attempt costs some 20 µs. */
const RETRY_MS = 1000;
/** How often it is checked whether the files next to chat.db, or its size, are still those of the open connection. */
const HARM_SOUGHT_MS = 1000;
/** A lock that lasts this long is reported. */
const BUSY_PROBLEM_MS = 30_000;
const BUSY_CODES = /^SQLITE_(?:BUSY|LOCKED|PROTOCOL|SCHEMA|INTERRUPT|IOERR_SHORT_READ)/;

/**
 * The one connection to chat.db: read-only, kept open (opening a large chat.db again and again has wedged Messages),
 * reopened automatically when that becomes possible or when another file is at the path. Every SQLite error ends here
 * and becomes the access state; only internal errors are thrown.
 */
export class ChatDbConnection {
  private open: Connection | undefined;
  private problem: AccessProblem;
  private lastAttempt = Number.NEGATIVE_INFINITY;
  private busySince: number | undefined;
  private lastVersion = -1;
  /** The `-wal` and `-shm` next to the file at the last check; at first, when it was opened. */
  private companions: readonly (string | undefined)[] = [];
  private size: number | undefined;
  private harmSoughtAt = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(
    readonly path: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.problem = accessProblem(path, 'ENOENT');
  }

  /** Whether chat.db can be read now; tries to open it if it is not. */
  access(): ChatDbAccess {
    if (this.current() === undefined) return this.problem;
    if (this.busySince !== undefined && this.clock.monotonic() - this.busySince >= BUSY_PROBLEM_MS) {
      return accessProblem(this.path, 'BUSY', 'another program keeps it locked');
    }
    return { ok: true };
  }

  /**
   * Runs `work` on the open database as it is at one instant: a commit of another program between two statements changes nothing, so
   * that a ROWID names one row throughout. `work` must finish its statements (no open iterators).
   */
  read<T>(work: (db: OpenChatDb) => T): Reading<T> {
    return this.tried((open) => {
      if (open.database.inTransaction) return work(open);
      open.begin.run();
      try {
        return work(open);
      } finally {
        endLook(open);
      }
    });
  }

  private tried<T>(work: (open: Connection) => T): Reading<T> {
    const open = this.current();
    if (open === undefined) return { kind: 'closed' };
    try {
      const value = work(open);
      this.busySince = undefined;
      return { kind: 'read', value };
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Everything that `reads` reads is of one instant. Each read reports its own failure. */
  atOneInstant<T>(reads: () => T): T {
    const open = this.current();
    if (open === undefined || open.database.inTransaction) return reads();
    try {
      open.begin.run();
    } catch (error) {
      this.failed(error);
    }
    try {
      return reads();
    } finally {
      endLook(open);
    }
  }

  /**
   * Whether another connection committed, or the file was reopened, since the last call. Costs a stat and a pragma,
   * whatever the size of the database. One caller only: it consumes the answer.
   */
  changed(): boolean {
    if (this.open !== undefined && identityAt(this.path) !== this.open.identity) {
      this.log.info('chat.db was replaced or removed; reopening it');
      this.drop();
    } else this.dropIfHarmed();
    const seen = this.tried(({ version }) => version.get() as number);
    if (seen.kind !== 'read' || seen.value === this.lastVersion) return false;
    this.lastVersion = seen.value;
    this.completeTables();
    return true;
  }

  /** Reopens the file at the next read: the file behind the connection has changed. */
  drop(): void {
    this.open?.database.close();
    this.open = undefined;
    this.lastVersion = -1;
    this.companions = [];
    this.size = undefined;
    this.lastAttempt = Number.NEGATIVE_INFINITY;
  }

  /** Three more looks at the disk, so no more than once a second. */
  private dropIfHarmed(): void {
    const now = this.clock.monotonic();
    if (this.open === undefined || now - this.harmSoughtAt < HARM_SOUGHT_MS) return;
    this.harmSoughtAt = now;
    if (this.companionsChanged()) {
      this.log.warn('The -wal or -shm of chat.db was replaced or removed; reopening chat.db');
      this.drop();
    } else if (this.shrank()) {
      this.log.info('chat.db became smaller; reopening it');
      this.drop();
    }
  }

  /**
   * SQLite keeps the files that it opened, so a connection whose `-wal` was replaced keeps reading the old one, and
   * would never see a message again.
   */
  private companionsChanged(): boolean {
    const now = this.companionsNow();
    const before = this.companions;
    this.companions = now;
    return before.some((identity, index) => identity !== undefined && identity !== now[index]);
  }

  private companionsNow(): (string | undefined)[] {
    return ['-wal', '-shm'].map((suffix) => identityAt(this.path + suffix));
  }

  /** A file that was cut short looks whole to a connection that has its pages in memory. A clean-up shrinks it too. */
  private shrank(): boolean {
    const now = sizeAt(this.path);
    const before = this.size;
    this.size = now;
    return now !== undefined && before !== undefined && now < before;
  }

  /** Closes permanently. Idempotent. */
  close(): void {
    this.drop();
    this.closed = true;
  }

  /** A table that was missing when the file was opened may have been made since. */
  private completeTables(): void {
    if (this.open === undefined || this.open.absent.length === 0) return;
    const { database, absent } = this.open;
    const made = this.read(() => absent.some((table) => hasTable(database, table)));
    if (made.kind === 'read' && made.value) this.drop();
  }

  private current(): Connection | undefined {
    if (this.open === undefined && !this.closed && this.clock.monotonic() - this.lastAttempt >= RETRY_MS) {
      this.tryToOpen();
      this.lastAttempt = this.clock.monotonic();
    }
    return this.open;
  }

  private tryToOpen(): void {
    const file = probe(this.path);
    if (!file.ok) {
      this.problem = file;
      return;
    }
    let database: Database | undefined;
    try {
      database = openDatabase(this.path, { readonly: true, busyTimeoutMs: LOCK_PATIENCE_MS });
      const absent = standIn(database);
      database.pragma('query_only = 1');
      database.pragma(`cache_size = -${CACHE_KIB}`);
      const schema = Schema.read(database);
      const missing = schema.missingTables();
      if (missing.length > 0 || identityAt(this.path) !== file.identity) {
        database.close();
        const detail = missing.length > 0 ? `it has no table "${missing[0]}" yet` : 'it is being replaced';
        this.problem = accessProblem(this.path, 'INCOMPLETE', detail);
        return;
      }
      const { generation, identity } = file;
      const version = database.prepare<unknown[]>('PRAGMA data_version').pluck();
      const begin = database.prepare<unknown[]>('BEGIN');
      const end = database.prepare<unknown[]>('ROLLBACK');
      this.open = { database, schema, version, begin, end, generation, identity, absent };
      this.lastVersion = -1;
      // Taken here, not at the first look: what happens in between must be seen too.
      this.companions = this.companionsNow();
      this.size = sizeAt(this.path);
      this.log.debug('Opened chat.db', { generation: file.generation });
    } catch (error) {
      database?.close();
      if (!(error instanceof BetterSqlite3.SqliteError)) throw error;
      this.problem = this.problemFor(error);
    }
  }

  private failed(error: unknown): { kind: 'busy' } | { kind: 'closed' } {
    if (!(error instanceof BetterSqlite3.SqliteError)) throw error;
    if (BUSY_CODES.test(error.code)) {
      this.busySince ??= this.clock.monotonic();
      this.log.debug('chat.db is busy', { code: error.code });
      return { kind: 'busy' };
    }
    this.log.warn('Lost chat.db', { code: error.code, error: describeError(error) });
    this.problem = this.problemFor(error);
    this.drop();
    this.lastAttempt = this.clock.monotonic();
    return { kind: 'closed' };
  }

  /** The system's word on the file if it has one, else SQLite's. */
  private problemFor(error: InstanceType<typeof BetterSqlite3.SqliteError>): AccessProblem {
    const file = probe(this.path);
    return file.ok ? accessProblem(this.path, error.code, `${error.message} (${error.code})`) : file;
  }
}

/** Ends what was begun, unless SQLite ended it, or it was closed. Nothing was written, so it is no loss. */
function endLook({ database, end }: Connection): void {
  if (database.open && database.inTransaction) end.run();
}

type AccessCode = Extract<
  ErrorCode,
  'chatdb_missing' | 'chatdb_not_permitted' | 'chatdb_denied' | 'chatdb_unreadable'
>;

/** Whether chat.db can be read; if not, why, and what a person does about it. */
export type ChatDbAccess = { ok: true } | AccessProblem;
type AccessProblem = { ok: false } & Omit<Problem<number, AccessCode>, 'since'>;

/** The file behind the path. `identity` distinguishes a file from another one that replaces it while the agent runs. */
interface ChatDbFile {
  identity: string;
  generation: string;
}

/**
 * Tries to open the file as the system sees it: SQLite answers "unable to open database file" alike where it is
 * missing, denied or kept from us by macOS, and errno does not (EPERM: privacy; EACCES: mode; ENOENT: missing).
 */
export function probe(path: string, program?: string): ({ ok: true } & ChatDbFile) | AccessProblem {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return accessProblem(path, errnoOf(error), '', program);
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return accessProblem(path, 'EISDIR', '', program);
    return { ok: true, ...fileOf(stats) };
  } finally {
    closeSync(fd);
  }
}

/** How large the file is, in bytes; undefined if none can be seen, for whatever reason. */
function sizeAt(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size;
  } catch {
    // A directory on the path is not accessible: `probe` will report it.
    return undefined;
  }
}

/** Which file the path names now; undefined if none can be seen, for whatever reason. Some microseconds. */
function identityAt(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : fileOf(stats).identity;
  } catch {
    // A directory on the path is not accessible: the file is unavailable, and `probe` will report why.
    return undefined;
  }
}

/**
 * The generation is kept across restarts, so the device number is not part of it: macOS gives a volume another one at
 * each boot. The birth time identifies a new file with a reused inode.
 */
function fileOf(stats: Stats): ChatDbFile {
  const generation = `${stats.ino}:${Math.trunc(stats.birthtimeMs)}`;
  return { generation, identity: `${stats.dev}:${generation}` };
}

/**
 * The words for an errno that opening or reading chat.db gave, or for SQLite's own words. `program` is the binary that
 * needs the permission; macOS lists an app as a whole.
 */
export function accessProblem(
  path: string,
  errno: string,
  detail = '',
  program = process.execPath,
): AccessProblem {
  const listed = appAround(program) ?? program;
  switch (errno) {
    case 'EPERM':
      return {
        ok: false,
        code: 'chatdb_not_permitted',
        message: `macOS does not let this program read ${path}: it has no Full Disk Access.`,
        remedy: `Open System Settings → Privacy & Security → Full Disk Access, add ${listed} and switch it on (where a terminal starts the agent, the terminal too). It is noticed at once; if not, restart the agent.`,
      };
    case 'EACCES':
      return {
        ok: false,
        code: 'chatdb_denied',
        message: `File permissions do not let this user read ${path}.`,
        remedy: `Run the agent as the user who is signed in to Messages, or let that user read it: ls -le "${path}" "${dirname(path)}".`,
      };
    case 'ENOENT':
    case 'ENOTDIR':
      return {
        ok: false,
        code: 'chatdb_missing',
        message: `There is no ${path}: Messages was never signed in here, or imessage.db_path names another place.`,
        remedy:
          'Open Messages and sign in with the Apple Account, or correct imessage.db_path. The agent notices the file on its own.',
      };
    default:
      return {
        ok: false,
        code: 'chatdb_unreadable',
        message: `${path} cannot be read: ${detail || wordsFor(errno)}.`,
        remedy: `Check that it is the chat.db of Messages, with its -wal and -shm beside it, on a healthy disk; ${listed} needs Full Disk Access for all three.`,
      };
  }
}

function wordsFor(errno: string): string {
  return errno === 'EISDIR' ? 'it is not a file' : errno;
}

function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? String(error);
}
