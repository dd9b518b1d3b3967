import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, sep } from 'node:path';

/**
 * `missing`: there is no such file (yet). `changing`: it is being written or replaced; it may be asked for again. `refused`: it is
 * not a file that may be read; `why` names no content.
 */
type RealFile =
  | { kind: 'read'; bytes: Buffer }
  | { kind: 'missing' }
  | { kind: 'changing'; why: string }
  | { kind: 'refused'; why: string };

/** Never through a link, and never waiting for the other end of a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** How often a file that changed while it was read is read again at once. */
const TRIES = 3;
/** What `open` says of a socket and of a device without a driver. */
const NO_FILE = new Set(['ENXIO', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP']);
const NOT_REGULAR = 'it is not a regular file';
const SEVERAL_NAMES =
  'it has more than one name on the disk (hard links), and the others may be outside the allowed directories';

/**
 * Reads a regular file that really lies under one of the roots: the roots' own links are followed, none below them, and
 * a file that a hard link names elsewhere too is refused. The content is that of the checked file at one moment,
 * whatever is replaced or written meanwhile; at most `maxBytes`. Throws the file system's error for anything but a
 * missing file.
 */
export async function readRealFile(
  path: string,
  roots: readonly string[],
  maxBytes: number,
): Promise<RealFile> {
  if (!isAbsolute(path) || path.includes('\0')) return refused('it is not an absolute path');
  const root = roots.find((candidate) => isUnder(path, candidate));
  if (root === undefined) return refused('it is not in an allowed directory');
  for (let tries = 1; ; tries++) {
    const read = await readOnce(path, root, maxBytes);
    if (read.kind !== 'changing' || tries === TRIES) return read;
  }
}

async function readOnce(path: string, root: string, maxBytes: number): Promise<RealFile> {
  let file: FileHandle;
  try {
    const real = await realPath(path, root);
    if (real === undefined) return refused('it is a link, or reached through one');
    // To open a device may do something; what is opened is judged once more.
    if (!(await lstat(real)).isFile()) return refused(NOT_REGULAR);
    file = await open(real, FLAGS);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    if (NO_FILE.has(code ?? '')) return refused(NOT_REGULAR);
    if (code === 'ELOOP') return refused('it is a link, or reached through one');
    throw error;
  }
  try {
    return await readJudged(file, path, root, maxBytes);
  } finally {
    await file.close();
  }
}

async function readJudged(file: FileHandle, path: string, root: string, maxBytes: number): Promise<RealFile> {
  const opened = await file.stat({ bigint: true });
  if (!opened.isFile()) return refused(NOT_REGULAR);
  if (opened.nlink > 1n) return refused(SEVERAL_NAMES);
  if (opened.size > maxBytes) return refused(`it has ${opened.size} bytes; the limit is ${maxBytes}`);
  // A directory on the way may have been swapped between the look and the opening: look again at what is open.
  if (!(await isStillAt(path, root, opened)))
    return { kind: 'changing', why: 'it was replaced while it was read' };
  const bytes = Buffer.alloc(Number(opened.size));
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  const after = await file.stat({ bigint: true });
  if (length < bytes.length || !isUnchanged(opened, after)) {
    return { kind: 'changing', why: 'it changed while it was read' };
  }
  return { kind: 'read', bytes };
}

async function isStillAt(path: string, root: string, opened: BigIntStats): Promise<boolean> {
  const real = await realPath(path, root);
  if (real === undefined) return false;
  const now = await stat(real, { bigint: true });
  return now.ino === opened.ino && now.dev === opened.dev;
}

/** The time of the last change of state (ctime) cannot be set by a program, as that of the last write can. */
function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
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
