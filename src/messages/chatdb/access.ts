import { closeSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ErrorCode } from '../../model/errorCodes.js';
import type { Problem } from '../../model/problem.js';

type AccessCode = Extract<
  ErrorCode,
  'chatdb_missing' | 'chatdb_not_permitted' | 'chatdb_denied' | 'chatdb_unreadable'
>;

/** Whether chat.db can be read; if not, why, and what a person does about it. */
export type ChatDbAccess = { ok: true } | AccessProblem;
export type AccessProblem = { ok: false } & Omit<Problem<number, AccessCode>, 'since'>;

/** The file behind the path. `identity` tells one file from another that took its name while we run. */
interface ChatDbFile {
  identity: string;
  generation: string;
}

/**
 * Tries to open the file as the system sees it: SQLite answers "unable to open database file" alike where it is
 * missing, denied or kept from us by macOS, and errno does not (EPERM: privacy; EACCES: mode; ENOENT: missing).
 */
export function probe(path: string, program?: string): ({ ok: true } & ChatDbFile) | AccessProblem {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return accessProblem(path, errnoOf(error), '', program);
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return accessProblem(path, 'EISDIR', '', program);
    return { ok: true, ...fileOf(stats) };
  } finally {
    closeSync(fd);
  }
}

/** How large the file is, in bytes; undefined if none can be seen, for whatever reason. */
export function sizeAt(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size;
  } catch {
    // A directory on the way is closed to us: `probe` will tell.
    return undefined;
  }
}

/** Which file the path names now; undefined if none can be seen, for whatever reason. Some microseconds. */
export function identityAt(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : fileOf(stats).identity;
  } catch {
    // A directory on the way is closed to us: the file is gone for us, and `probe` will tell why.
    return undefined;
  }
}

/**
 * The generation is kept over restarts, so the device number is no part of it: macOS gives a volume another one
 * at each boot. Birth time tells a new file that was given a freed inode.
 */
function fileOf(stats: Stats): ChatDbFile {
  const generation = `${stats.ino}:${Math.trunc(stats.birthtimeMs)}`;
  return { generation, identity: `${stats.dev}:${generation}` };
}

/**
 * The words for an errno that opening or reading chat.db gave, or for SQLite's own words. `program` is the binary that
 * needs the permission.
 */
export function accessProblem(
  path: string,
  errno: string,
  detail = '',
  program = process.execPath,
): AccessProblem {
  switch (errno) {
    case 'EPERM':
      return {
        ok: false,
        code: 'chatdb_not_permitted',
        message: `macOS does not let this program read ${path}: it has no Full Disk ChatDbAccess.`,
        remedy: `Open System Settings → Privacy & Security → Full Disk ChatDbAccess, add ${program} and switch it on (where a terminal starts the agent, the terminal too). It is noticed at once; if not, restart the agent.`,
      };
    case 'EACCES':
      return {
        ok: false,
        code: 'chatdb_denied',
        message: `File permissions do not let this user read ${path}.`,
        remedy: `Run the agent as the user who is signed in to Messages, or let that user read it: ls -le "${path}" "${dirname(path)}".`,
      };
    case 'ENOENT':
    case 'ENOTDIR':
      return {
        ok: false,
        code: 'chatdb_missing',
        message: `There is no ${path}: Messages was never signed in here, or imessage.db_path names another place.`,
        remedy:
          'Open Messages and sign in with the Apple Account, or correct imessage.db_path. The agent notices the file on its own.',
      };
    default:
      return {
        ok: false,
        code: 'chatdb_unreadable',
        message: `${path} cannot be read: ${detail || wordsFor(errno)}.`,
        remedy: `Check that it is the chat.db of Messages, with its -wal and -shm beside it, on a healthy disk; ${program} needs Full Disk ChatDbAccess for all three.`,
      };
  }
}

function wordsFor(errno: string): string {
  return errno === 'EISDIR' ? 'it is no file' : errno;
}

function errnoOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? String(error);
}
