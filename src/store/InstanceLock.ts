import { chmodSync, existsSync, mkdirSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EdgeError } from '../errors.js';
import { type Database, openDatabase } from './sqlite.js';

/**
 * Identifies a file across restarts: the inode, and the birth time in case an inode is reused. The device number is not
 * part of it, because macOS gives a volume another one at each boot.
 */
export function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}:${Math.trunc(birthtimeMs)}`;
}

/**
 * The file that a path names now; undefined: there is none. Throws what node:fs throws if that cannot be determined,
 * for example without permission.
 */
export function identityAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
}

/** How long, in ms, a caller that only checks (`isHeld`) may block one that wants the lock. */
const ASKED_MS = 250;

/** The words for a lock that is held by another process. */
type WhenHeld = (path: string, cause: unknown) => EdgeError;

/**
 * One agent per state directory, and one per chat.db. The lock is an exclusive transaction on a small SQLite file: the
 * kernel releases it with the process, however that ends, so there are no stale locks and no pids to trust.
 */
export class InstanceLock {
  private constructor(
    private readonly path: string,
    private readonly whenHeld: WhenHeld,
    private database: Database,
    private file: string | undefined,
  ) {}

  /** Throws what `whenHeld` makes (`already_running`) if another process holds it, EdgeError `state_unwritable` if it cannot be made, or `sqlite_unloadable`. */
  static acquire(path: string, whenHeld: WhenHeld = alreadyRunning): InstanceLock {
    let database: Database | undefined;
    try {
      database = openDatabase(path, { busyTimeoutMs: ASKED_MS });
      chmodSync(path, 0o600);
      database.exec('BEGIN EXCLUSIVE');
      return new InstanceLock(path, whenHeld, database, identityAt(path));
    } catch (cause) {
      database?.close();
      if (isBusy(cause)) throw whenHeld(path, cause);
      if (cause instanceof EdgeError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EdgeError(
        'state_unwritable',
        `The lock file ${path} cannot be opened: ${why}.`,
        'Check that state.directory belongs to this user and that the disk has free space.',
        { cause },
      );
    }
  }

  /** Whether it is held now. Throws SqliteError if that cannot be determined, for example without permission to read the file. */
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

  /**
   * Whether the file that is locked is still the one at the path: another process could lock a different file there.
   * Without permission to look, it counts as the same.
   */
  isInPlace(): boolean {
    try {
      return this.file !== undefined && identityAt(this.path) === this.file;
    } catch {
      return true;
    }
  }

  /**
   * Takes the lock in the file that is at the path now, made with its directory where they were removed; then it is held as before. Throws
   * as `acquire`, and holds what it held.
   */
  takeAgain(): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const { database, file } = InstanceLock.acquire(this.path, this.whenHeld);
    this.database.close();
    this.database = database;
    this.file = file;
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
