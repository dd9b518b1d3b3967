import { EdgeError } from '../../errors.js';
import { isDamage } from '../../store/openStore.js';
import type { Database, Statement } from '../../store/sqlite.js';
import { systemCode } from '../../system/failures.js';
import type { StoredRow, StoredValue } from './GatewayDatabase.js';
import { checkColumns, checkLimit, exactNumber, parameterCount, storableFor } from './storable.js';

/** So many statements are kept prepared; the program has fewer, so what goes beyond was put together at run time. */
const KEPT_STATEMENTS = 500;

interface Prepared {
  statement: Statement;
  gives: boolean;
  parameters: number;
}

/** One connection to the file, with the statements of the port prepared once. Synchronous: a call returns when it is done. */
export class SqliteConnection {
  private readonly prepared = new Map<string, Prepared>();

  constructor(private readonly database: Database) {
    // As in PostgreSQL.
    database.pragma('case_sensitive_like = ON');
  }

  /** Whether a transaction is open. SQLite ends one on its own on a full disk and some other faults. */
  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  /** Throws EdgeError, as `GatewayDatabase.query` rejects. */
  query(sql: string, values: readonly StoredValue[]): readonly StoredRow[] {
    try {
      const { statement, gives, parameters } = this.prepare(sql);
      const bound = bindable(storableFor(sql, parameters, values));
      if (gives) return rowsOf(bound === undefined ? statement.all() : statement.all(bound));
      if (bound === undefined) statement.run();
      else statement.run(bound);
      return [];
    } catch (error) {
      throw asStorageError(error);
    }
  }

  close(): void {
    this.prepared.clear();
    this.database.close();
  }

  private prepare(sql: string): Prepared {
    const known = this.prepared.get(sql);
    if (known !== undefined) return known;
    checkLimit(sql);
    const statement: Statement = this.database.prepare(sql);
    if (statement.reader)
      checkColumns(
        sql,
        statement.columns().map(({ name }) => name),
      );
    const prepared = { statement, gives: statement.reader, parameters: parameterCount(sql) };
    if (this.prepared.size >= KEPT_STATEMENTS) this.prepared.clear();
    this.prepared.set(sql, prepared);
    return prepared;
  }
}

/** By the names of `$1`, `$2` … An integer is bound as one: better-sqlite3 binds a number as a fraction, and '1' || 2 would be '12.0'. */
function bindable(values: readonly StoredValue[]): Record<string, unknown> | undefined {
  if (values.length === 0) return undefined;
  return Object.fromEntries(
    values.map((value, index) => [index + 1, Number.isInteger(value) ? BigInt(Number(value)) : value]),
  );
}

function rowsOf(rows: readonly unknown[]): readonly StoredRow[] {
  const read = rows.map((row) => row as StoredRow);
  for (const row of read) {
    for (const value of Object.values(row)) if (typeof value === 'number') exactNumber(value);
  }
  return read;
}

/** What SQLite's answers mean to the gateway, by their beginning (sqlite.org/rescode.html). */
const MEANINGS = [
  ['SQLITE_FULL', 'disk_full', 'The disk is full.', 'Free space on the disk of the database.'],
  [
    'SQLITE_READONLY',
    'storage_read_only',
    'The file is read-only.',
    'Check its owner, permissions and disk.',
  ],
  ['SQLITE_BUSY', 'storage_unavailable', 'Another program holds a lock on the file.', 'End that program.'],
  ['SQLITE_IOERR', 'storage_unavailable', 'The disk has an I/O error.', 'Check the disk of the database.'],
  ['SQLITE_CANTOPEN', 'storage_unavailable', 'The file cannot be opened.', 'Check its path and permissions.'],
  ['SQLITE_NOMEM', 'storage_unavailable', 'There is no memory left.', 'Give the gateway more memory.'],
] as const;

/** An error of SQLite as one of ours; any other one as it is. No value of a statement is in it. */
export function asStorageError(error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  const answer = systemCode(error) ?? '';
  if (isDamage(error)) {
    return new EdgeError('store_damaged', 'The SQLite file is damaged.', 'Restore a backup.', {
      cause: error,
    });
  }
  const known = MEANINGS.find(([beginning]) => answer.startsWith(beginning));
  if (known === undefined) {
    return new EdgeError('internal', `SQLite refused a statement: ${describe(error)}.`, '', { cause: error });
  }
  const [, code, message, remedy] = known;
  return new EdgeError(code, `${message} (${answer})`, remedy, { cause: error });
}

const describe = (error: unknown) => (error instanceof Error ? error.message : String(error));
