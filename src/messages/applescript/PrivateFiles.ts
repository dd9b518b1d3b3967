import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describeError, EdgeError } from '../../errors.js';
import { isMissing } from '../../system/missingFile.js';
import { DISPATCH_MARKER, SCRIPTS, type ScriptName } from './scripts.js';

/** What a private file shows of its run. */
interface PrivateOutput {
  /** False only if the whole file was seen and the marker is not in it. */
  readonly marker: boolean;
  /** The last 64 KiB that osascript printed, without white space at its end. */
  readonly tail: string;
}

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const WINDOW_BYTES = 64 * 1024;
const SUFFIX = '.log';
/** A file that is made ready for an attempt to come; of no attempt, so its name is no tag's. */
const SPARE = 'next.spare';
/** The space reserved for the output of osascript: the marker is within its first few hundred bytes. Each text writes so much. */
const RESERVED = Buffer.alloc(8 * 1024, ' ');
/** What was reserved, in bytes, by this version and by earlier ones: an attempt may be under way while the agent is updated. */
const ROOMS: readonly number[] = [RESERVED.length, 16 * 1024];
/** What a run that is killed leaves at the end of its file: the marker, which every version finds, however much it reserves. */
const KILLED = `${DISPATCH_MARKER}\n`;

/** A tag names a file and is searched for in command lines, so it must be plain and not short. */
export function isTag(tag: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{7,127}$/.test(tag);
}

/**
 * The files of the runner, all 0600 in directories of 0700 under the state directory: the scripts
 * (`applescript/`), and for each attempt one file that takes osascript's stdout and stderr
 * (`sends/<tag>.log`) and outlives us both. Not synced to disk: the files are proof about processes, and
 * no process outlives the machine.
 */
export class PrivateFiles {
  private readonly scripts: string;
  private readonly sends: string;
  /** The inode of the file for the next attempt, whose room is taken. */
  private spare: number | undefined;

  constructor(stateDirectory: string) {
    this.scripts = join(stateDirectory, 'applescript');
    this.sends = join(stateDirectory, 'sends');
  }

  /**
   * Creates the directories and rewrites the scripts. Idempotent; a run that has an older script open keeps it. Throws
   * EdgeError `state_unwritable`.
   */
  prepare(): void {
    try {
      for (const directory of [this.scripts, this.sends]) {
        mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
        chmodSync(directory, DIRECTORY_MODE);
      }
      // From an earlier run that ended while it wrote one. No other program writes here.
      for (const name of readdirSync(this.scripts)) {
        if (name.endsWith('.new')) unlinkSync(join(this.scripts, name));
      }
      for (const [name, source] of Object.entries(SCRIPTS)) {
        const path = join(this.scripts, `${name}.applescript`);
        const fresh = `${path}.${process.pid}.new`;
        writeFileSync(fresh, source, { mode: FILE_MODE });
        renameSync(fresh, path);
      }
    } catch (error) {
      throw new EdgeError(
        'state_unwritable',
        `The files for osascript cannot be written: ${describeError(error)}`,
        'Check that the state directory belongs to this user and that the disk has room.',
        { cause: error },
      );
    }
  }

  /** Opens a script for reading, at its beginning. The caller closes. Throws the file system's error. */
  openScript(name: ScriptName): number {
    return openSync(join(this.scripts, `${name}.applescript`), 'r');
  }

  /** Makes the file for the next attempt ready, if it is not. Throws the file system's error; then the attempt makes its own. */
  makeSpare(): void {
    if (this.spare !== undefined) return;
    const path = join(this.sends, SPARE);
    rmSync(path, { force: true });
    const fd = createReserved(path);
    try {
      this.spare = fstatSync(fd).ino;
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Creates the attempt's file, which must not exist, and opens it to write. The caller closes. Throws the
   * file system's error. It is filled with spaces first, and what osascript prints goes over them: on a disk that is
   * full this fails now, before anything is spawned, and on one that fills up later the marker still has its
   * place. A marker that could not be written would read as proof that nothing was sent.
   */
  createOutput(tag: string): number {
    const path = this.outputPath(tag);
    const fd = this.takeSpare(path) ?? createReserved(path);
    try {
      // Without a position: the output of osascript continues after it.
      writeSync(fd, `${tag}\n`);
    } catch (error) {
      closeSync(fd);
      unlinkSync(path);
      throw error;
    }
    return fd;
  }

  /** Undefined where none is ready, or this one cannot be taken: the attempt makes its own, and says what is wrong if it cannot either. */
  private takeSpare(path: string): number | undefined {
    const inode = this.spare;
    if (inode === undefined) return undefined;
    this.spare = undefined;
    try {
      // Unlike a rename, it fails where there is such a file.
      linkSync(join(this.sends, SPARE), path);
    } catch {
      // Removed, or on a disk that has no links.
      return undefined;
    }
    const fd = openSync(path, constants.O_WRONLY);
    const { ino, nlink } = fstatSync(fd);
    // With these two names, and none of an attempt of another process, whose own spare one may have had this inode too.
    if (ino === inode && nlink === 2) return fd;
    // It was replaced by another one, or taken.
    closeSync(fd);
    unlinkSync(path);
    return undefined;
  }

  /**
   * The run is about to be killed: its file counts as holding the marker from now on, whatever is in it, also for who looks after a crash
   * in between. Goes over the end of the room that was taken, so that it takes none. Throws the file system's error.
   */
  noteKilled(tag: string): void {
    const fd = openSync(this.outputPath(tag), constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    try {
      const end = Math.max(fstatSync(fd).size, RESERVED.length);
      writeSync(fd, KILLED, end - KILLED.length);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Reads at most the first and the last 64 KiB. Null if there is no such file. One that cannot be read, has a middle
   * that was not read, or used up its reserved space, counts as containing the marker.
   */
  readOutput(tag: string): PrivateOutput | null {
    let fd: number;
    try {
      fd = openSync(this.outputPath(tag), 'r');
    } catch (error) {
      return isMissing(error) ? null : { marker: true, tail: '' };
    }
    try {
      const size = fstatSync(fd).size;
      const tail = readWindow(fd, Math.max(0, size - WINDOW_BYTES));
      const head = size > WINDOW_BYTES ? readWindow(fd, 0) : '';
      // A smaller file is one whose making was cut short: nothing was spawned.
      const usedUp = size >= RESERVED.length && !(ROOMS.includes(size) && tail.endsWith(' '));
      const marker = usedUp || head.includes(DISPATCH_MARKER) || tail.includes(DISPATCH_MARKER);
      const printed = tail.endsWith(KILLED) ? tail.slice(0, -KILLED.length) : tail;
      return { marker, tail: printed.trimEnd() };
    } catch (error) {
      return { marker: true, tail: describeError(error) };
    } finally {
      closeSync(fd);
    }
  }

  /** Removes the attempt's file; no such file is fine. Throws the file system's error otherwise. */
  remove(tag: string): void {
    try {
      unlinkSync(this.outputPath(tag));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** The tags of all attempts that have a file. Empty if the directory does not exist. */
  tags(): string[] {
    try {
      return readdirSync(this.sends)
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length))
        .filter(isTag);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  private outputPath(tag: string): string {
    return join(this.sends, `${tag}${SUFFIX}`);
  }
}

/** Creates a file which must not exist, with its room taken, open at its beginning. Throws the file system's error. */
function createReserved(path: string): number {
  const fd = openSync(path, 'wx', FILE_MODE);
  try {
    for (let at = 0; at < RESERVED.length; ) at += writeSync(fd, RESERVED, at, RESERVED.length - at, at);
  } catch (error) {
    closeSync(fd);
    unlinkSync(path);
    throw error;
  }
  return fd;
}

function readWindow(fd: number, from: number): string {
  const buffer = Buffer.alloc(WINDOW_BYTES);
  let length = 0;
  while (length < WINDOW_BYTES) {
    const got = readSync(fd, buffer, length, WINDOW_BYTES - length, from + length);
    if (got === 0) break;
    length += got;
  }
  return buffer.toString('utf8', 0, length);
}
