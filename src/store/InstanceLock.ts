import { chmodSync } from 'node:fs';
import { EdgeError } from '../errors.js';
import { type Database, openDatabase } from './sqlite.js';

/**
 * One agent per state directory. The lock is an exclusive transaction on a small SQLite file: the kernel drops it with
 * the process, however the process dies, so there is no stale lock and no pid to trust.
 */
export class InstanceLock {
  private constructor(private readonly database: Database) {}

  /** Throws EdgeError `already_running` if another process holds it, `state_unwritable` if it cannot be made. */
  static acquire(path: string): InstanceLock {
    let database: Database | undefined;
    try {
      database = openDatabase(path, { busyTimeoutMs: 0 });
      chmodSync(path, 0o600);
      database.exec('BEGIN EXCLUSIVE');
      return new InstanceLock(database);
    } catch (cause) {
      database?.close();
      if (String((cause as { code?: unknown }).code).startsWith('SQLITE_BUSY')) {
        throw new EdgeError(
          'already_running',
          `Another edge-agent is running on this state directory (${path} is locked).`,
          'Stop the other one first, or give this one another state.directory.',
          { cause },
        );
      }
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EdgeError(
        'state_unwritable',
        `The lock file ${path} cannot be opened: ${why}.`,
        'Check that state.directory belongs to this user and that the disk has free space.',
        { cause },
      );
    }
  }

  release(): void {
    this.database.close();
  }
}
