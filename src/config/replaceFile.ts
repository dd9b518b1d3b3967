import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { describeError, EdgeError } from '../errors.js';

/**
 * Creates or replaces a file (0600, a new directory 0700) with that text, atomically and durably: a kill in the middle
 * leaves the old one. A link stays, and its target is replaced. Throws EdgeError `state_unwritable`.
 */
export function replaceFile(path: string, text: string): void {
  const place = behindLinks(path);
  const fresh = `${place}.new`;
  let isOurs = false;
  try {
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
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
    renameSync(fresh, place);
  } catch (error) {
    if (isOurs) rmSync(fresh, { force: true });
    throw new EdgeError(
      'state_unwritable',
      `${path} cannot be written: ${describeError(error)}.`,
      'Check the owner, permissions and free space of its directory.',
      {
        cause: error,
      },
    );
  }
}

/** As many as macOS follows (MAXSYMLINKS). */
const MOST_LINKS = 32;

/** What a path leads to, whether that is there or not; links that lead to themselves are left as they are. */
export function behindLinks(path: string): string {
  let place = path;
  if (!existsSync(dirname(place))) return place;
  for (let link = 0; link < MOST_LINKS; link += 1) {
    if (lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return place;
    place = resolve(realpathSync(dirname(place)), readlinkSync(place));
  }
  return path;
}
