import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { codeOf, sourceFiles } from '../support/sourceModules.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** Tables that stay small: one row, or only what is under way. */
const SMALL = /^SCAN (meta|pauses|chatdb_cursor|chatdb_pending|contexts|outages|acks|events|sqlite_)/;

/** The newest rows by their own key: no more is read than is asked for, and no more counted. */
const NEWEST = /\(?SELECT [^()]* FROM \w+ ORDER BY seq DESC LIMIT \+\?\)?/;

/** Whether it reads nothing but such rows. */
function readsTheNewest(sql: string): boolean {
  const plain = sql.replaceAll(/coalesce\([^()]*\)/g, '').replaceAll(/\s+/g, ' ');
  return NEWEST.test(plain) && !/ FROM (?!newest\b)/.test(plain.replace(NEWEST, 'newest'));
}

test('no statement of the store scans a table that grows with history', () => {
  const path = join(temporaryDirectory(), 'store.db');
  const prepare = vi.spyOn(BetterSqlite3.prototype, 'prepare');
  Store.open(path, { clock: new FakeClock(), log: new RecordingLog() }).close();
  const statements = [...new Set(prepare.mock.calls.map(([sql]) => sql))].filter((sql) =>
    /^\s*(SELECT|UPDATE|DELETE)/i.test(sql),
  );
  prepare.mockRestore();
  expect(statements.length).toBeGreaterThan(40);
  const database = openDatabase(path);
  const scans = statements.flatMap((sql) => {
    if (readsTheNewest(sql)) return [];
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`);
    const steps = plan.all(...parametersOf(sql)) as { detail: string }[];
    return steps
      .map(({ detail }) => detail)
      .filter((detail) => /^SCAN \w+$/.test(detail) && !SMALL.test(detail))
      .map((detail) => `${detail} ← ${sql.replaceAll(/\s+/g, ' ')}`);
  });
  database.close();
  expect(scans).toEqual([]);
});

test('a query with a bound LIMIT is not planned again each time it runs', () => {
  const bare = sourceFiles.filter(
    (file) => !file.startsWith('gateway/') && /\bLIMIT\s+[?@]/.test(codeOf(file)),
  );
  expect(bare).toEqual([]);
});

/** Something for each parameter; the plan does not depend on what. */
function parametersOf(sql: string): unknown[] {
  const names = [...new Set([...sql.matchAll(/@(\w+)/g)].map(([, name]) => name ?? ''))];
  const positional = [...sql.matchAll(/\?/g)].map(() => 1);
  return names.length > 0 ? [Object.fromEntries(names.map((name) => [name, 1]))] : positional;
}
