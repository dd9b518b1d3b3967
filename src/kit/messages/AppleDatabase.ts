import { randomUUID } from 'node:crypto';
import { type Database, openDatabase, type Statement } from '../../store/sqlite.js';
import { type AppleVersion, appleSchema, type SchemaOptions } from './appleSchema.js';

/** What a column may be given; a bigint where a number would lose digits (dates in ns). */
export type SqlValue = string | number | bigint | Buffer | null;
export type Columns = Readonly<Record<string, SqlValue>>;

/** 2001-01-01T00:00:00Z, from which Apple counts, as Unix ms. */
const APPLE_EPOCH_MS = 978_307_200_000;

/** Unix ms as ns since 2001. */
export function appleDate(unixMs: number): bigint {
  return BigInt(Math.round(unixMs) - APPLE_EPOCH_MS) * 1_000_000n;
}

let nanoseconds = 0n;

/** A guid as Messages gives them. */
export function appleGuid(): string {
  return randomUUID().toUpperCase();
}

/** Who holds the lock may get no turn for long on a busy machine, in ms. */
const LOCK_PATIENCE_MS = 60_000;

/**
 * A chat.db that is written like Messages does: WAL, each call a separate commit unless in `transaction`. Created with
 * Apple's schema if it is missing or empty; the schema of an existing one is not changed.
 */
export class AppleDatabase {
  private readonly database: Database;
  private readonly columns = new Map<string, ReadonlySet<string>>();
  private readonly statements = new Map<string, Statement>();
  /** How far the clock of this Mac is ahead of ours, in ms. */
  clockOffsetMs = 0;

  constructor(
    readonly path: string,
    readonly version: AppleVersion,
    schema: SchemaOptions = {},
  ) {
    this.database = openDatabase(path, { busyTimeoutMs: LOCK_PATIENCE_MS });
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = NORMAL');
    if (this.get<number>('SELECT count(*) FROM sqlite_master') === 0) {
      this.transaction(() => {
        for (const statement of appleSchema(version, schema)) this.database.exec(statement);
        this.insert('_SqliteDatabaseProperties', { key: '_ClientVersion', value: `${version}000` });
      });
    }
  }

  /** Inserts a row and returns its ROWID. Columns that this version has not are left out. */
  insert(table: string, values: Columns): number {
    const present = this.present(table, values);
    const names = present.map(([name]) => name);
    const marks = names.map(() => '?').join(', ');
    const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks})`;
    return Number(this.prepared(sql).run(...present.map(([, value]) => value)).lastInsertRowid);
  }

  /** Changes columns of a row; those that this version has not are left out. */
  update(table: string, rowId: number, values: Columns): void {
    const present = this.present(table, values);
    if (present.length === 0) return;
    const assignments = present.map(([name]) => `${name} = ?`).join(', ');
    this.prepared(`UPDATE ${table} SET ${assignments} WHERE ROWID = ?`).run(
      ...present.map(([, value]) => value),
      rowId,
    );
  }

  /** Now as Messages writes it, to the nanosecond: no two rows of one process have the same date. */
  now(): bigint {
    nanoseconds = (nanoseconds + 1_009n) % 1_000_000n;
    return appleDate(Date.now() + this.clockOffsetMs) + nanoseconds;
  }

  /** The ROWID that the message of this guid has now; undefined if there is none. */
  rowIdOf(guid: string): number | undefined {
    return this.get<number>('SELECT ROWID FROM message WHERE guid = ?', guid);
  }

  delete(table: string, rowId: number): void {
    this.prepared(`DELETE FROM ${table} WHERE ROWID = ?`).run(rowId);
  }

  /** Forgets which ROWIDs of a table were given out. */
  forgetSequence(table: string): void {
    this.prepared('DELETE FROM sqlite_sequence WHERE name = ?').run(table);
  }

  /** The first column of the first row, or undefined. */
  get<T extends SqlValue>(sql: string, ...parameters: readonly SqlValue[]): T | undefined {
    return this.prepared(sql)
      .pluck()
      .get(...parameters) as T | undefined;
  }

  /** Lets ROWIDs of a table be given out behind this one. */
  setSequence(table: string, highest: number): void {
    this.prepared('UPDATE sqlite_sequence SET seq = ? WHERE name = ?').run(highest, table);
  }

  /** Every row of a query; integers that a number does not hold exactly are bigints. */
  all<T extends object>(sql: string, ...parameters: readonly SqlValue[]): T[] {
    const rows = this.database
      .prepare<unknown[]>(sql)
      .safeIntegers()
      .all(...parameters) as Record<string, SqlValue>[];
    return rows.map((row) => {
      const plain = Object.entries(row).map(([name, value]) => {
        const isSmall = typeof value === 'bigint' && Number.isSafeInteger(Number(value));
        return [name, isSmall ? Number(value) : value];
      });
      return Object.fromEntries(plain) as T;
    });
  }

  run(sql: string, ...parameters: readonly SqlValue[]): void {
    this.prepared(sql).run(...parameters);
  }

  /** One commit in which keys may change that other tables name. */
  withoutForeignKeys(work: () => void): void {
    this.database.pragma('foreign_keys = OFF');
    try {
      this.transaction(work);
    } finally {
      this.database.pragma('foreign_keys = ON');
    }
  }

  /** The ROWID of a handle, made if there is none. */
  handle(address: string, service: string): number {
    return this.transaction(() => {
      const sql = 'SELECT ROWID FROM handle WHERE id = ? AND service = ?';
      const known = this.get<number>(sql, address, service);
      return known ?? this.insert('handle', { id: address, country: 'us', service });
    });
  }

  /** One commit of all that `work` writes. */
  transaction<T>(work: () => T): T {
    // Immediate: a transaction that reads first and then finds another writer ahead of it fails at once, unwaited.
    return this.database.transaction(work).immediate();
  }

  close(): void {
    this.database.close();
  }

  private present(table: string, values: Columns): [string, SqlValue][] {
    const known = this.columns.get(table) ?? this.columnsOf(table);
    return Object.entries(values).filter(([name]) => known.has(name));
  }

  private columnsOf(table: string): ReadonlySet<string> {
    const info = this.database.pragma(`table_info(${table})`) as { name: string }[];
    const names = new Set(info.map(({ name }) => name));
    this.columns.set(table, names);
    return names;
  }

  private prepared(sql: string): Statement {
    const known = this.statements.get(sql) ?? this.database.prepare<unknown[]>(sql);
    this.statements.set(sql, known);
    return known;
  }
}
