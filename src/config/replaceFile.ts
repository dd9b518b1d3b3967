import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError, EdgeError } from '../errors.js';

/**
 * Puts a file (0600, a new directory 0700) with that text in its place, or in the place of the one that is there, all at
 * once and for good: whoever is killed in the middle leaves the old one. Throws EdgeError `state_unwritable`.
 */
export function replaceFile(path: string, text: string): void {
  const fresh = `${path}.new`;
  let isOurs = false;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // What an interrupted attempt left may have another mode.
    rmSync(fresh, { force: true });
    const fd = openSync(fresh, 'wx', 0o600);
    isOurs = true;
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, path);
  } catch (error) {
    if (isOurs) rmSync(fresh, { force: true });
    throw new EdgeError(
      'state_unwritable',
      `${path} cannot be written: ${describeError(error)}.`,
      'Check owner, rights and free space of its directory.',
      {
        cause: error,
      },
    );
  }
}
