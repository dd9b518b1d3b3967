import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, sep } from 'node:path';

/** `missing`: there is no such file (yet). `refused`: it is not a file that may be read; `why` names no content. */
export type RealFile =
  | { kind: 'read'; bytes: Buffer }
  | { kind: 'missing' }
  | { kind: 'refused'; why: string };

/** Never through a link, and never waiting for the other end of a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Reads a regular file that really lies under one of the roots: the roots' own links are followed, none below them. What is
 * read is the very file that was judged, whatever is swapped meanwhile. Throws the file system's error for anything but
 * a missing file.
 */
export async function readRealFile(
  path: string,
  roots: readonly string[],
  maxBytes: number,
): Promise<RealFile> {
  if (!isAbsolute(path) || path.includes('\0')) return refused('it is not an absolute path');
  const root = roots.find((candidate) => isUnder(path, candidate));
  if (root === undefined) return refused('it does not lie where files may be taken from');
  let file: FileHandle;
  try {
    const real = await realPath(path, root);
    if (real === undefined) return refused('it is, or lies behind, a link');
    file = await open(real, FLAGS);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    if (code === 'ELOOP') return refused('it is, or lies behind, a link');
    throw error;
  }
  try {
    return await readJudged(file, path, root, maxBytes);
  } finally {
    await file.close();
  }
}

async function readJudged(file: FileHandle, path: string, root: string, maxBytes: number): Promise<RealFile> {
  const opened = await file.stat();
  if (!opened.isFile()) return refused('it is not a regular file');
  if (opened.size > maxBytes) return refused(`it has ${opened.size} bytes; the limit is ${maxBytes}`);
  // A directory on the way may have been swapped between the look and the opening: look again at what is open.
  const real = await realPath(path, root);
  const now = await stat(real ?? path);
  if (real === undefined || now.ino !== opened.ino || now.dev !== opened.dev) {
    return refused('it was replaced while it was read');
  }
  const bytes = Buffer.alloc(opened.size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return { kind: 'read', bytes: bytes.subarray(0, length) };
}

/**
 * The path as the disk has it, undefined if a link below the root leads elsewhere. The disk of a Mac finds a name by letters
 * that are composed otherwise (é as one character or two), so these do not count.
 */
async function realPath(path: string, root: string): Promise<string | undefined> {
  const straight = `${await realpath(root)}${path.slice(trimmed(root).length)}`;
  const real = await realpath(path);
  return real.normalize('NFC') === straight.normalize('NFC') ? real : undefined;
}

/** By the letters of the path alone: no `..`, no doubled separator, strictly below. */
function isUnder(path: string, root: string): boolean {
  if (!path.startsWith(`${trimmed(root)}${sep}`)) return false;
  const below = path.slice(trimmed(root).length + 1).split(sep);
  return below.every((element) => element !== '' && element !== '.' && element !== '..');
}

function trimmed(root: string): string {
  return root.endsWith(sep) ? root.slice(0, -1) : root;
}

function refused(why: string): RealFile {
  return { kind: 'refused', why };
}
