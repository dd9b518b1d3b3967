import { chmodSync, existsSync } from 'node:fs';
import { EdgeError } from '../errors.js';
import { type Database, openDatabase } from './sqlite.js';

/** For so long, in ms, somebody who only asks (`isHeld`) may be in the way of the one who wants it. */
const ASKED_MS = 250;

/** How to say that somebody else holds a lock. */
type WhenHeld = (path: string, cause: unknown) => EdgeError;

/**
 * One agent per state directory, and one per chat.db. The lock is an exclusive transaction on a small SQLite file: the kernel drops it with
 * the process, however the process dies, so there is no stale lock and no pid to trust.
 */
export class InstanceLock {
  private constructor(private readonly database: Database) {}

  /** Throws what `whenHeld` makes (`already_running`) if another process holds it, EdgeError `state_unwritable` if it cannot be made. */
  static acquire(path: string, whenHeld: WhenHeld = alreadyRunning): InstanceLock {
    let database: Database | undefined;
    try {
      database = openDatabase(path, { busyTimeoutMs: ASKED_MS });
      chmodSync(path, 0o600);
      database.exec('BEGIN EXCLUSIVE');
      return new InstanceLock(database);
    } catch (cause) {
      database?.close();
      if (isBusy(cause)) throw whenHeld(path, cause);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EdgeError(
        'state_unwritable',
        `The lock file ${path} cannot be opened: ${why}.`,
        'Check that state.directory belongs to this user and that the disk has free space.',
        { cause },
      );
    }
  }

  /** Whether somebody holds it now. Throws SqliteError if that cannot be told, as where the file may not be read. */
  static isHeld(path: string): boolean {
    if (!existsSync(path)) return false;
    const database = openDatabase(path, { readonly: true, busyTimeoutMs: 0 });
    try {
      database.pragma('schema_version');
      return false;
    } catch (error) {
      if (isBusy(error)) return true;
      throw error;
    } finally {
      database.close();
    }
  }

  release(): void {
    this.database.close();
  }
}

function alreadyRunning(path: string, cause: unknown): EdgeError {
  return new EdgeError(
    'already_running',
    `Another edge-agent is running on this state directory (${path} is locked).`,
    'Stop the other one first, or give this one another state.directory.',
    { cause },
  );
}

function isBusy(thrown: unknown): boolean {
  return String((thrown as { code?: unknown }).code).startsWith('SQLITE_BUSY');
}
