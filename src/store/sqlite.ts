import BetterSqlite3 from 'better-sqlite3';
import { describeError, EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import type { SetAsideItem } from './setAsideItem.js';

export type Database = BetterSqlite3.Database;
export type Statement = BetterSqlite3.Statement<unknown[]>;

/**
 * The columns of a query by the fields of the record that it gives: `sendAt` is the column `send_at`. So a row is a record as it
 * is read, but for what it has as JSON.
 */
export function columns<Row>(...fields: readonly (keyof Row & string)[]): string {
  return fields
    .map((field) => {
      const column = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return column === field ? field : `${column} AS ${field}`;
    })
    .join(', ');
}

/**
 * Opens an SQLite file as it is, with no pragma of ours; created if missing unless `readonly`. A lock held by another
 * connection is waited for `busyTimeoutMs` (5000). Throws SqliteError, or EdgeError `sqlite_unloadable` if this Node has no SQLite.
 *
 * Its statements bind a limit as `LIMIT +?`. SQLite plans by the value of a parameter that stands alone there, so it prepares the statement
 * again each time one is bound, which takes longer than most of our queries.
 */
export function openDatabase(
  path: string,
  options: { readonly?: boolean; busyTimeoutMs?: number } = {},
): Database {
  const { readonly = false, busyTimeoutMs = 5000 } = options;
  try {
    return new BetterSqlite3(path, { readonly, fileMustExist: readonly, timeout: busyTimeoutMs });
  } catch (error) {
    throw loadFault(error) ?? error;
  }
}

const INSTALL_AGAIN = 'Install edge-agent again with this Node, or run it with the Node that installed it.';

/**
 * What keeps better-sqlite3's binary from being loaded, which happens when it is first used: undefined if something else was thrown.
 * The codes are Node's of `require` and of `process.dlopen`, the words those of `bindings` and of Node.
 */
function loadFault(error: unknown): EdgeError | undefined {
  const { code } = error as { code?: unknown };
  const words = describeError(error);
  if (code === 'MODULE_NOT_FOUND' || words.startsWith('Could not locate the bindings file'))
    return unloadable(
      'npm did not run its install script, which fetches or compiles it',
      'Install edge-agent again with --ignore-scripts=false --allow-scripts=better-sqlite3.',
      error,
    );
  if (code !== 'ERR_DLOPEN_FAILED') return undefined;
  const why = /NODE_MODULE_VERSION/.test(words)
    ? `it was installed with another version of Node than this ${process.version}`
    : (words.split('\n', 1)[0] ?? words);
  return unloadable(why, INSTALL_AGAIN, error);
}

function unloadable(why: string, remedy: string, cause: unknown): EdgeError {
  return new EdgeError('sqlite_unloadable', `better-sqlite3 cannot be loaded: ${why}.`, remedy, { cause });
}

/** In KiB. better-sqlite3's build lets a connection keep 16 MB of pages; what the agent works on at a time is far less. */
export const CACHE_KIB = 4096;

/** The agent's store that reaches this size takes no more, as on a full disk, until retention has made room. */
const LARGEST_STORE_BYTES = 2 * 1024 ** 3;

/**
 * Opens a file whose commits survive a power cut. An existing WAL file opens with synchronous=NORMAL, under
 * which the last commits may vanish, so FULL is set on every open and checked. On macOS fsync alone does not
 * reach the platter: fullfsync makes SQLite use F_FULLFSYNC (sqlite.org/pragma.html#pragma_fullfsync).
 * A file that reaches `largestBytes` (2 GiB) takes no more. A new one gets pages of `pageBytes`. Its log is copied into the file once it
 * has `checkpointBytes`.
 */
export function openDurableDatabase(
  path: string,
  {
    largestBytes = LARGEST_STORE_BYTES,
    pageBytes,
    checkpointBytes,
  }: { largestBytes?: number; pageBytes?: number; checkpointBytes?: number } = {},
): Database {
  const database = openDatabase(path);
  if (pageBytes !== undefined) database.pragma(`page_size = ${pageBytes}`);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('fullfsync = 1');
  database.pragma('checkpoint_fullfsync = 1');
  database.pragma('foreign_keys = ON');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  const pages = (bytes: number) => Math.floor(bytes / Number(database.pragma('page_size', { simple: true })));
  database.pragma(`max_page_count = ${pages(largestBytes)}`);
  if (checkpointBytes !== undefined) database.pragma(`wal_autocheckpoint = ${pages(checkpointBytes)}`);
  database.pragma(`journal_size_limit = ${16 * 1024 * 1024}`);
  if (database.pragma('synchronous', { simple: true }) !== 2) {
    database.close();
    throw new Error('SQLite did not accept synchronous=FULL');
  }
  return database;
}

/**
 * Calls `listener` with each error that a statement prepared from now on throws, before it is rethrown, because the
 * caller may treat the error as temporary.
 */
export function onStatementError(database: Database, listener: (error: unknown) => void): void {
  const prepare = database.prepare.bind(database);
  const watched =
    <Args extends unknown[], Result>(run: (...args: Args) => Result) =>
    (...args: Args): Result => {
      try {
        return run(...args);
      } catch (error) {
        listener(error);
        throw error;
      }
    };
  Object.assign(database, {
    prepare: (sql: string): Statement => {
      const statement: Statement = prepare(sql);
      return Object.assign(statement, {
        run: watched(statement.run.bind(statement)),
        get: watched(statement.get.bind(statement)),
        all: watched(statement.all.bind(statement)),
      });
    },
  });
}

type Fields = Record<string, unknown>;

/** Reporting more damaged rows than this adds nothing. */
const MOST_NOTED = 200;

/** An object that the store wrote as JSON; undefined where it is none, or lacks what `isWhole` looks for. Never throws. */
export function readStored<T extends object>(
  json: string,
  isWhole: (fields: Fields) => boolean = () => true,
): T | undefined {
  const value = parsed(json);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && isWhole(value as Fields) ? (value as T) : undefined;
}

/**
 * Reads the values that rows of the store have as JSON. A damaged value affects only its row: it reads as undefined,
 * the caller continues without it, and status reports it (`item_set_aside`) as long as this run finds it.
 */
export class StoredRows {
  private readonly noted = new Map<string, SetAsideItem>();

  constructor(private readonly clock: Clock) {}

  object<T extends object>(
    table: string,
    key: string,
    json: string,
    isWhole?: (fields: Fields) => boolean,
  ): T | undefined {
    const value = readStored<T>(json, isWhole);
    if (value === undefined) this.note(table, key);
    return value;
  }

  list<T>(table: string, key: string, json: string): T[] | undefined {
    const value = parsed(json);
    if (Array.isArray(value)) return value as T[];
    this.note(table, key);
    return undefined;
  }

  /** The rows that were met so far. */
  damaged(): readonly SetAsideItem[] {
    return [...this.noted.values()];
  }

  /** A row was met of which nothing can be read. */
  note(table: string, key: string): void {
    const name = `${table} ${key}`;
    if (this.noted.has(name) || this.noted.size >= MOST_NOTED) return;
    this.noted.set(name, {
      kind: 'stored row',
      key: name,
      at: this.clock.now(),
      error: `its record in ${table} is damaged`,
    });
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // What the disk damaged is expected here; the caller says what that means.
    return undefined;
  }
}
