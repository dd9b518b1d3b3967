import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { PAGE_BYTES, pageBytesOf } from './salvage/pageBytesOf.js';
import { repair } from './salvage/repairs.js';
import { readReport, reportOf, type SalvageReport, saveReport } from './salvage/report.js';
import { walFrames } from './salvage/walFrames.js';
import { salvage } from './salvage.js';
import { MIGRATIONS } from './schema.js';
import { type Database, openDurableDatabase } from './sqlite.js';

const CLEAN_STOP = 'clean_stop';

/** What many commits changed is written into the store once. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

/** What a damaged store is filled into; by another name once it is complete. */
const FILLING = '.salvaging';
const COMPLETE = '.salvaged';

/**
 * Opens or creates the store file (mode 0600), migrates it to the newest schema, checks its integrity (thoroughly after
 * an unclean stop) and passes it to `build`. A damaged store is kept under another name, and replaced by one with
 * everything that can still be read or derived; `build` gets the report of that until a run has ended cleanly after it.
 * A kill at any point leaves the damaged store or the new one, each complete. Throws EdgeError `store_newer`,
 * `disk_full` or `state_unwritable`.
 */
export function openStore<T>(path: string, clock: Clock, log: Logger, build: Build<T>): T {
  let cause: string;
  try {
    replaceBySalvaged(path);
    return built(openSound(path, log), build);
  } catch (error) {
    if (!isDamage(error)) throw asEdgeError(path, error);
    cause = describeError(error);
  }
  try {
    rebuild(path, { clock, log, cause });
    return built(openSound(path, log), build);
  } catch (error) {
    throw asEdgeError(path, error);
  }
}

/** `stoppedCleanly`: the agent that had the store before ended in order, or it is new. */
type Build<T> = (database: Database, salvaged: SalvageReport | undefined, stoppedCleanly: boolean) => T;

interface OpenStore {
  database: Database;
  stoppedCleanly: boolean;
}

function built<T>({ database, stoppedCleanly }: OpenStore, build: Build<T>): T {
  try {
    return build(database, readReport(database), stoppedCleanly);
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
  if (!isFresh) checkLog(path);
  const database = openDurableDatabase(path, { pageBytes: PAGE_BYTES, checkpointBytes: CHECKPOINT_BYTES });
  try {
    migrate(database, path, log);
    const { changes } = database.prepare('DELETE FROM meta WHERE key = ?').run(CLEAN_STOP);
    if (changes > 0) saveReport(database, undefined);
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
    log.info('Migrating the store to a new version; the old one was copied', { copy });
  }
  MIGRATIONS.slice(done).forEach((step, index) => {
    database.transaction(() => {
      database.exec(step);
      database.pragma(`user_version = ${done + index + 1}`);
    })();
  });
}

/**
 * SQLite ends a write-ahead log at its first fault without reporting the commits after it, and drops the log of an
 * empty file: it would continue with an older state. Throws in these cases. Only for a store that no process has open.
 */
export function checkLog(path: string): void {
  const log = `${path}-wal`;
  if (!existsSync(log) || statSync(log).size === 0) return;
  if (statSync(path).size === 0) throw new Damage('the file is empty');
  if (walFrames(path, pageBytesOf(path)).damaged) throw new Damage('the write-ahead log is damaged');
}

/** Fills a new store from the damaged one, which stays what it is until the new one is complete and on the disk. */
function rebuild(path: string, { clock, log, cause }: { clock: Clock; log: Logger; cause: string }): void {
  const now = clock.now();
  const stamp = new Date(now).toISOString().replaceAll(/[:.]/g, '-');
  const aside = freeName(`${path}.damaged-${stamp}`);
  const filling = path + FILLING;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(filling + suffix, { force: true });
  const { database } = openSound(filling, log);
  let report: SalvageReport;
  try {
    const salvaged = salvage(path, database);
    report = reportOf(salvaged, repair(database, salvaged, now), { aside, at: now });
    saveReport(database, report);
    database.prepare('DELETE FROM meta WHERE key = ?').run(CLEAN_STOP);
    database.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    database.close();
  }
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(path + suffix)) keepAs(path + suffix, aside + suffix);
  renameSync(filling, path + COMPLETE);
  syncDirectory(path);
  replaceBySalvaged(path);
  const { tables, schedules } = report;
  const counts = Object.entries(tables).map(([table, { kept, lost, mayBeMore }]) => {
    return `${table} ${kept}/${lost}${mayBeMore ? '+' : ''}`;
  });
  log.error(
    `The store ${path} was damaged. It was set aside as ${aside} and rebuilt from what could still be read.`,
    {
      code: 'store_damaged',
      cause,
      rows: Object.values(tables).reduce((sum, { kept }) => sum + kept, 0),
      keptAndLost: counts.join(', '),
      unknownCommands: report.unknownCommands,
      unknownTexts: report.unknownTexts,
      readsAgain: report.readsAgain,
      paused: report.paused,
    },
  );
  for (const { scheduleId, commandId, sendAt } of schedules) {
    // Each line is different, because the log keeps only the first ones of equal lines.
    log.error(
      `Scheduled text ${scheduleId ?? commandId ?? '(no name)'} is lost with the damaged store; it is not sent`,
      {
        code: 'store_damaged',
        schedule: scheduleId,
        trace: commandId,
        sendAt: sendAt === null ? null : new Date(sendAt).toISOString(),
      },
    );
  }
}

/** Puts a complete new store into the place of the damaged one; a kill in between is made good by the next start. */
function replaceBySalvaged(path: string): void {
  if (!existsSync(path + COMPLETE)) return;
  // A log that belongs to the damaged store must not be played into the new one.
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  syncDirectory(path);
  renameSync(path + COMPLETE, path);
  syncDirectory(path);
}

function freeName(name: string): string {
  for (let count = 1; ; count++) {
    const free = count === 1 ? name : `${name}-${count}`;
    if (!existsSync(free)) return free;
  }
}

/** The same file under a second name; a copy where the file system has no links. */
function keepAs(path: string, name: string): void {
  try {
    linkSync(path, name);
  } catch {
    copyFileSync(path, name);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
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
