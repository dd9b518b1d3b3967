/* A bare program beside the daemon: inserts the rows that the daemon's store has, into the tables of a store of its own. */
import { performance } from 'node:perf_hooks';
import { Store } from '../dist/store/Store.js';
import { openDatabase, openDurableDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { writtenBytes } from './writtenBytes.mjs';

const ignore = () => undefined;
const QUIET = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const TABLES = ['commands', 'sends'];

const [source, target, atOnce] = process.argv.slice(2);
// Made by the agent's own code: the same tables, indexes and pages.
Store.open(target, { clock: systemClock, log: QUIET }).leave();
const store = openDatabase(source, { readonly: true });
const own = openDurableDatabase(target, { checkpointBytes: 8 * 1024 * 1024 });
const done = Object.fromEntries(TABLES.map((table) => [table, 0]));
const begin = own.prepare('BEGIN IMMEDIATE');
const commit = own.prepare('COMMIT');

process.on('message', () => process.send(insertNew()));
process.send('ready');

/** Inserts what the daemon has stored since the last time, from rows that are in memory. */
function insertNew() {
  const rows = TABLES.map((table) => {
    const found = store.prepare(`SELECT * FROM ${table} WHERE seq > ? ORDER BY seq`).raw().all(done[table]);
    done[table] = found.at(-1)?.[0] ?? done[table];
    return found;
  });
  const inserts = TABLES.map((table) => {
    const width = store.prepare(`SELECT * FROM ${table}`).columns().length;
    return own.prepare(`INSERT INTO ${table} VALUES (${Array(width).fill('?').join(', ')})`);
  });
  const [commands] = rows;
  const before = process.cpuUsage();
  const writtenBefore = writtenBytes();
  const began = performance.now();
  for (let from = 0; from < commands.length; from += Number(atOnce)) {
    begin.run();
    for (let at = from; at < Math.min(from + Number(atOnce), commands.length); at++)
      for (let table = 0; table < inserts.length; table++) inserts[table].run(rows[table][at]);
    commit.run();
  }
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  const written = writtenBytes() - writtenBefore;
  return { rows: rows.map((found) => found.length), ms, cpu: user + system, written };
}
