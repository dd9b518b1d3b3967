import { chmodSync, closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { salvage } from './salvage.js';
import { MIGRATIONS } from './schema.js';
import { type Database, openDurableDatabase } from './sqlite.js';

const CLEAN_STOP = 'clean_stop';

/**
 * Opens or creates the store file (mode 0600), brings it to the newest schema, makes sure that it is sound (thoroughly
 * after an unclean stop) and hands it to `build`. A damaged one is set aside under another name (`rebuiltFrom`), never
 * deleted, and a new one is made with everything that can still be read. Throws EdgeError `store_newer`, `disk_full` or
 * `state_unwritable`.
 */
export function openStore<T>(path: string, clock: Clock, log: Logger, build: Build<T>): T {
  try {
    const { database, stoppedCleanly } = openSound(path, log);
    return built(database, undefined, stoppedCleanly, build);
  } catch (error) {
    if (!isDamage(error)) throw asEdgeError(path, error);
    const { database, aside } = rebuild(path, clock, log);
    return built(database, aside, false, build);
  }
}

/** `stoppedCleanly`: whoever had the store before ended in order, or it is new. */
type Build<T> = (database: Database, rebuiltFrom: string | undefined, stoppedCleanly: boolean) => T;

function built<T>(
  database: Database,
  rebuiltFrom: string | undefined,
  stoppedCleanly: boolean,
  build: Build<T>,
): T {
  try {
    return build(database, rebuiltFrom, stoppedCleanly);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Notes that everything was ended in order; the next open need not check thoroughly. */
export function markCleanStop(database: Database): void {
  database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(CLEAN_STOP, '1');
}

function openSound(path: string, log: Logger): { database: Database; stoppedCleanly: boolean } {
  const isFresh = !existsSync(path);
  // Made with its mode: SQLite gives the -wal and -shm files the mode that the file has then.
  if (isFresh) closeSync(openSync(path, 'a', 0o600));
  else chmodSync(path, 0o600);
  const database = openDurableDatabase(path);
  try {
    migrate(database, path, log);
    const { changes } = database.prepare('DELETE FROM meta WHERE key = ?').run(CLEAN_STOP);
    if (!isFresh) check(database, changes > 0 ? 'quick_check' : 'integrity_check');
    return { database, stoppedCleanly: isFresh || changes > 0 };
  } catch (error) {
    database.close();
    throw error;
  }
}

class Damage extends Error {}

function check(database: Database, how: 'quick_check' | 'integrity_check'): void {
  const verdict = String(database.pragma(`${how}(1)`, { simple: true }));
  if (verdict !== 'ok') throw new Damage(verdict);
}

function migrate(database: Database, path: string, log: Logger): void {
  const done = Number(database.pragma('user_version', { simple: true }));
  if (done > MIGRATIONS.length) {
    throw new EdgeError(
      'store_newer',
      `The store ${path} was written by a newer edge-agent (version ${done}, this one knows ${MIGRATIONS.length}).`,
      'Install the newer edge-agent again, or move the store aside to start with an empty one.',
    );
  }
  if (done > 0 && done < MIGRATIONS.length) {
    const copy = `${path}.version-${done}`;
    if (!existsSync(copy)) {
      database.prepare('VACUUM INTO ?').run(copy);
      chmodSync(copy, 0o600);
    }
    log.info('The store is brought to a new version; the old one was copied', { copy });
  }
  MIGRATIONS.slice(done).forEach((step, index) => {
    database.transaction(() => {
      database.exec(step);
      database.pragma(`user_version = ${done + index + 1}`);
    })();
  });
}

function rebuild(path: string, clock: Clock, log: Logger): { database: Database; aside: string } {
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');
  const aside = `${path}.damaged-${stamp}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  const { database } = openSound(path, log);
  const kept = salvage(aside, database);
  log.error(
    `The store ${path} was damaged. It was set aside as ${aside} and made anew with what could still be read.`,
    { code: 'store_damaged', rows: kept },
  );
  return { database, aside };
}

/** Whether an error says that the file itself is broken. */
export function isDamage(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return error instanceof Damage || code === 'SQLITE_NOTADB' || String(code).startsWith('SQLITE_CORRUPT');
}

function asEdgeError(path: string, error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  const { code } = error as { code?: unknown };
  return new EdgeError(
    code === 'SQLITE_FULL' ? 'disk_full' : 'state_unwritable',
    `The store ${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}.`,
    'Check that state.directory exists on a disk with free space and belongs to this user.',
    { cause: error },
  );
}
