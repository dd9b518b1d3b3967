import { statfsSync } from 'node:fs';
import type { Problem } from '../model/problem.js';
import { SQLITE_FAILURES, systemCode } from '../system/failures.js';
import { isDamage } from './openStore.js';

/** The disk cannot be written. The remedy is added where the fault is reported. */
export type StoreFault = Omit<
  Problem<number, 'disk_full' | 'state_unwritable' | 'store_damaged' | 'state_moved'>,
  'remedy'
>;

/**
 * How the place of the store was lost: its file was removed or moved with its directory, there is another file, or
 * another agent has the lock on chat.db.
 */
export type LostPlace = 'missing' | 'replaced' | 'taken';

const LOST: Readonly<Record<LostPlace, (path: string) => string>> = {
  missing: (path) => `${path} was removed or moved away`,
  replaced: (path) => `there is another file at ${path}`,
  taken: () => 'another edge-agent works on the same chat.db',
};

/** The store must take no writes any more, as it is not in its place. */
export class StateMoved extends Error {
  constructor(
    path: string,
    readonly how: LostPlace,
  ) {
    super(LOST[how](path));
  }
}

/**
 * A disk counts as full until so many bytes are free: a small write may fit where the one that was refused does not.
 * The write-ahead log, which grows to twice as much, has mostly grown by then.
 */
const ROOM_BYTES = 4 * 1024 * 1024;

const FULL = {
  code: 'disk_full',
  message: 'the disk is full (or the store has reached its own limit)',
} as const;

/** The fault that prevents writes, if `error` is one; otherwise undefined. */
export function diskFault(error: unknown): Pick<StoreFault, 'code' | 'message'> | undefined {
  if (error instanceof StateMoved) return { code: 'state_moved', message: error.message };
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return undefined;
  if (isDamage(error)) return { code: 'store_damaged', message: 'the file is damaged' };
  const known = Object.entries(SQLITE_FAILURES).find(([answer]) => code.startsWith(answer))?.[1];
  if (known === undefined) return undefined;
  return known === 'disk_full' ? FULL : { code: known, message: `SQLite returned ${code}` };
}

/** As `diskFault`, of a store in this directory: also where SQLite calls a full disk something else. */
export function storeFault(error: unknown, directory: string): ReturnType<typeof diskFault> {
  const fault = diskFault(error);
  return fault?.code === 'state_unwritable' && isForWantOfRoom(error, directory) ? FULL : fault;
}

/**
 * Whether a step on the agent's own files in this directory failed for want of room. SQLite calls some of that an I/O error, or a file
 * that cannot be opened, as where its index of the write-ahead log does not fit.
 */
export function isForWantOfRoom(error: unknown, directory: string): boolean {
  const code = systemCode(error) ?? '';
  if (/^(?:SQLITE_FULL|ENOSPC|EDQUOT)$/.test(code)) return true;
  return /^SQLITE_(?:IOERR|CANTOPEN)/.test(code) && !hasRoom(directory);
}

/** Whether the disk of this directory has room for more than the one write that has just succeeded. */
export function hasRoom(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= ROOM_BYTES;
  } catch {
    // If the free space is not known, a successful write is the best evidence.
    return true;
  }
}
