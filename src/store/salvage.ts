import { type Database, openDatabase } from './sqlite.js';

/** The number by which rows are counted; a table that has it can be read on behind a damaged stretch. */
const COUNTED_BY = 'seq';

/**
 * Copies every row that can still be read from a damaged store into a new one, table by table; returns how many. A row
 * that cannot be read, or does not fit, costs no other.
 */
export function salvage(damagedPath: string, target: Database): number {
  let source: Database;
  try {
    source = openDatabase(damagedPath, { readonly: true });
  } catch {
    // Not even a header: there is nothing to be had from this file, which stays where it was put.
    return 0;
  }
  try {
    return tablesOf(target).reduce((kept, table) => kept + copyTable(source, target, table), 0);
  } finally {
    source.close();
  }
}

function tablesOf(database: Database): string[] {
  const select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
  return database.prepare(select).pluck().all() as string[];
}

function copyTable(source: Database, target: Database, table: string): number {
  const columns = columnsOf(target, table).filter((name) => !lacks(source, table, name));
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
  );
  const select = `SELECT ${columns.join(', ')} FROM ${table}`;
  // One commit a table: a commit a row would take minutes.
  const copy = target.transaction(() =>
    columns.includes(COUNTED_BY)
      ? copyCounted(source, table, select, (row) => insert.run(row).changes)
      : copyToTheFirstFault(source, select, (row) => insert.run(row).changes),
  );
  return copy();
}

function columnsOf(database: Database, table: string): string[] {
  return (database.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

/** Whether the damaged store is of an older version that does not have this column. */
function lacks(source: Database, table: string, column: string): boolean {
  try {
    const columns = columnsOf(source, table);
    return columns.length > 0 && !columns.includes(column);
  } catch {
    // Not even the schema can be read: the copy of this table finds out by itself.
    return false;
  }
}

/** Goes on behind each stretch that cannot be read, as far as rows were ever counted. */
function copyCounted(
  source: Database,
  table: string,
  select: string,
  keep: (row: unknown) => number,
): number {
  let kept = 0;
  let at = 0;
  for (const last = lastCounted(source, table); at <= last; at++) {
    try {
      const rows = source.prepare(`${select} WHERE ${COUNTED_BY} >= ? ORDER BY ${COUNTED_BY}`);
      for (const row of rows.iterate(at)) {
        kept += keep(row);
        at = (row as { [COUNTED_BY]: number })[COUNTED_BY];
      }
      return kept;
    } catch {
      // This row is beyond reading; the next one is tried.
    }
  }
  return kept;
}

function lastCounted(source: Database, table: string): number {
  try {
    const last = source.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').pluck().get(table);
    return typeof last === 'number' ? last : 0;
  } catch {
    // The count itself is damaged: what can be read from the first row on is all there is.
    return 0;
  }
}

function copyToTheFirstFault(source: Database, select: string, keep: (row: unknown) => number): number {
  let kept = 0;
  try {
    for (const row of source.prepare(select).iterate()) kept += keep(row);
  } catch {
    // The rest of this table is beyond reading; what was read before stays, and the other tables are tried.
    return kept;
  }
  return kept;
}
