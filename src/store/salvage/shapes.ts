import { MIGRATIONS } from '../schema.js';
import { type Database, openDatabase } from '../sqlite.js';
import type { Value } from './pageFormat.js';

interface Column {
  name: string;
  type: string;
  isRequired: boolean;
}

/** The layout of a table's records: its columns in the order of a record. */
export interface TableShape {
  table: string;
  columns: readonly Column[];
  /** The column that is the rowid itself, stored as NULL; undefined in a WITHOUT ROWID table. */
  rowIdColumn: string | undefined;
  /** Its key, by which a row is named: the rowid column, or the columns of the primary key. */
  key: readonly string[];
  /** Its indexes and their columns in the order of an entry, the row's key last. */
  indexes: ReadonlyMap<string, readonly string[]>;
}

/** The tables of a store of this version, by name; of today's if the version cannot be one. */
export function shapesOf(version: number | undefined): Map<string, TableShape> {
  const steps =
    version === undefined || version < 1 || version > MIGRATIONS.length ? MIGRATIONS.length : version;
  const database = openDatabase(':memory:');
  try {
    for (const step of MIGRATIONS.slice(0, steps)) database.exec(step);
    return new Map(tablesOf(database).map((table) => [table, shapeOf(database, table)]));
  } finally {
    database.close();
  }
}

/** The store's own tables, SQLite's not among them. */
export function tablesOf(database: Database): string[] {
  const select =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
  return database.prepare<unknown[], string>(select).pluck().all();
}

interface ColumnInfo {
  name: string;
  type: string;
  notnull: number;
  pk: number;
}

function shapeOf(database: Database, table: string): TableShape {
  const info = database
    .prepare<unknown[], ColumnInfo>('SELECT name, type, "notnull", pk FROM pragma_table_info(?) ORDER BY cid')
    .all(table);
  const keyed = info.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk);
  const [first] = keyed;
  if (first === undefined) throw new Error(`The table ${table} needs a primary key`);
  const hasRowId = keyed.length === 1 && first.type === 'INTEGER';
  // A WITHOUT ROWID table stores its key first.
  const stored = hasRowId ? info : [...keyed, ...info.filter((column) => column.pk === 0)];
  const indexes = database
    .prepare<unknown[], { name: string; origin: string }>('SELECT name, origin FROM pragma_index_list(?)')
    .all(table)
    .filter(({ origin }) => origin !== 'pk')
    .map(({ name }): [string, string[]] => [name, entryOf(database, name, first.name)]);
  return {
    table,
    columns: stored.map(({ name, type, notnull }) => ({ name, type, isRequired: notnull === 1 })),
    rowIdColumn: hasRowId ? first.name : undefined,
    key: keyed.map(({ name }) => name),
    indexes: new Map(indexes),
  };
}

/** SQLite puts the key behind the columns of an index, in a WITHOUT ROWID table unless it is one of them. */
function entryOf(database: Database, index: string, key: string): string[] {
  return database
    .prepare<unknown[], string | null>('SELECT name FROM pragma_index_xinfo(?) ORDER BY seqno')
    .pluck()
    .all(index)
    .map((name) => name ?? key);
}

/** Whether a value may stand in a column: what SQLite stores there for the values that the agent writes. */
export function fits(value: Value, { type, isRequired }: Column): boolean {
  if (value === null) return !isRequired;
  if (type === 'TEXT') return typeof value === 'string';
  if (type === 'INTEGER') return typeof value === 'number' && Number.isSafeInteger(value);
  return typeof value === 'number' && Number.isFinite(value);
}
