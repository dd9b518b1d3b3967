import { type Stats, statSync } from 'node:fs';

/**
 * Tells one file from another of its name, over restarts: the inode, and the birth time for an inode that is used again. The device
 * number is no part of it: macOS gives a volume another one at each boot.
 */
export function identityOf({ ino, birthtimeMs }: Stats): string {
  return `${ino}:${Math.trunc(birthtimeMs)}`;
}

/** The file that a path names now; undefined: there is none. Throws what node:fs throws where that cannot be told, as without the right to look. */
export function identityAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
}
