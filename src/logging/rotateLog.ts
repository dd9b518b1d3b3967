import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { logFiles } from './logFiles.js';

/**
 * Moves the lines of a log to `<path>.1`, and what was there to `.2` and so on; at most `keep` such files stay. The log
 * itself keeps its name and its inode, so that `tail -f` and whoever has it open for appending go on with it. At every
 * instant each line is in at least one file: a crash may leave lines in two of them, see `finishRotation`. Throws if
 * there is no room for the copy; then nothing has changed.
 */
export function rotateLog(path: string, keep: number): void {
  const copy = temporaryOf(path);
  try {
    copyFileSync(path, copy, constants.COPYFILE_FICLONE);
    secure(copy);
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  }
  shift(path, keep);
  renameSync(copy, `${path}.1`);
  syncDirectory(dirname(path));
  truncateSync(path);
}

/**
 * Ends what a crash interrupted: half a copy is removed; a log whose lines have all been moved already is emptied.
 * Removes the files beyond `keep`. To be called before the first line is written, by the only writer.
 */
export function finishRotation(path: string, keep: number): void {
  rmSync(temporaryOf(path), { force: true });
  const rotated = logFiles(path).slice(0, -1);
  for (const old of rotated) if (Number(old.slice(path.length + 1)) > keep) rmSync(old, { force: true });
  if (isSame(path, `${path}.1`)) truncateSync(path);
}

function temporaryOf(path: string): string {
  return `${path}.rotating`;
}

/** Only up to the first gap, which a crash between two renames may have left: nothing is dropped without need. */
function shift(path: string, keep: number): void {
  let free = 1;
  while (free < keep && existsSync(`${path}.${free}`)) free += 1;
  for (let number = free; number > 1; number -= 1) {
    renameSync(`${path}.${number - 1}`, `${path}.${number}`);
  }
}

function secure(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fchmodSync(file, 0o600);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The new name is on the disk before the lines leave the old one. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

const CHUNK = 1024 * 1024;

function isSame(one: string, other: string): boolean {
  const size = sizeOf(one);
  if (size === 0 || size !== sizeOf(other)) return false;
  const files = [openSync(one, 'r'), openSync(other, 'r')] as const;
  try {
    const [a, b] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
    for (let at = 0; at < size; at += CHUNK) {
      const length = readSync(files[0], a, 0, CHUNK, at);
      if (readSync(files[1], b, 0, CHUNK, at) !== length) return false;
      if (!a.subarray(0, length).equals(b.subarray(0, length))) return false;
    }
    return true;
  } finally {
    for (const file of files) closeSync(file);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
