import { type Database, openDatabase } from './sqlite.js';

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
  let kept = 0;
  try {
    const columns = target.pragma(`table_info(${table})`) as { name: string }[];
    const names = columns.map(({ name }) => name);
    const insert = target.prepare(
      `INSERT OR IGNORE INTO ${table} (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`,
    );
    for (const row of source.prepare(`SELECT ${names.join(', ')} FROM ${table}`).iterate()) {
      kept += insert.run(row).changes;
    }
  } catch {
    // The rest of this table is beyond reading; what was read before stays, and the other tables are tried.
    return kept;
  }
  return kept;
}
