import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pino } from 'pino';
import { describeError, EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { isMissing } from '../system/missingFile.js';

/** While the file takes nothing (disk full), so many bytes of lines are kept for later; more are counted as lost. */
const HELD_BACK_BYTES = 256 * 1024;
/** At most so often is looked whether the file is still the one at its path. */
const LOOK_EVERY_MS = 1_000;

interface LineFileOptions {
  readonly path: string;
  /** Undefined: the file only grows. */
  readonly rotate: RotationLimits | undefined;
  readonly clock: Clock;
  /** Whether its directory is created again if it was removed. */
  readonly remakesDirectory: boolean;
  /** The line that is written in the file for a fault of the file itself. */
  readonly notice: (message: string) => string;
}

/**
 * A rotated file of complete lines. If it is removed or renamed, lines go to a new one at its path within a second.
 * Nothing here throws once it is open.
 */
interface LineFile {
  /** `lines`: how many they are, for the number of lost ones; 1 if left out. */
  write(line: string, lines?: number): void;
  /** Notes that a line could not even be written down, and why. */
  countLost(reason: unknown): void;
  rotateBy(limits: RotationLimits): void;
  close(): void;
}

/** Opens it for appending, by its owner only (0600, directories 0700). Throws `state_unwritable`. */
export function openLineFile({ path, rotate, clock, remakesDirectory, notice }: LineFileOptions): LineFile {
  const destination = openDestination(path);
  let rotation = rotate === undefined ? undefined : new LogRotation(path, rotate, clock);
  let lost = 0;
  let reason = 'the buffer is full';
  let closed = false;
  // Emitted inside write(); without a listener an 'error' would be thrown.
  destination.on('error', (error: unknown) => {
    reason = describeError(error);
  });
  let inode = inodeOf(path);
  let lookAfter = clock.monotonic() + LOOK_EVERY_MS;
  const followPath = () => {
    if (clock.monotonic() < lookAfter) return;
    lookAfter = clock.monotonic() + LOOK_EVERY_MS;
    try {
      if (inodeOf(path) === inode) return;
      // First by hand: SonicBoom keeps a listener for each reopening that fails.
      if (remakesDirectory) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      closeSync(openSync(path, 'a', 0o600));
      if (statSync(path).isFile()) chmodSync(path, 0o600);
      destination.reopen();
      inode = inodeOf(path);
      rotation?.startAnew();
      destination.write(notice('The log file was removed; this is a new one'));
    } catch (thrown) {
      // Lines continue to go to the old file, where readers that have it open find them; the next check retries.
      reason = describeError(thrown);
    }
  };
  let dropped = false;
  destination.on('drop', () => {
    dropped = true;
  });
  let moved = false;
  destination.on('write', (bytes: number) => {
    moved = true;
    rotation?.wrote(bytes);
  });

  // Not flushSync(): SonicBoom's repeats a failing write for ever, so that a full disk would stop the program.
  const retry = () => destination.write('');
  const put = (line: string) => {
    dropped = false;
    destination.write(line);
    if (!dropped) return;
    // The buffer is full, and then the destination does not retry on its own.
    retry();
    dropped = false;
    destination.write(line);
    if (dropped) throw new Error(reason);
  };
  const countLost = (thrown: unknown, lines = 1) => {
    lost += lines;
    reason = describeError(thrown);
  };
  return {
    countLost,
    rotateBy(limits) {
      if (rotation === undefined) rotation = new LogRotation(path, limits, clock);
      else rotation.setLimits(limits);
    },
    write(line, lines) {
      if (closed) return;
      followPath();
      const hindered = rotation?.before(Buffer.byteLength(line));
      moved = false;
      try {
        put(line);
      } catch (thrown) {
        countLost(thrown, lines);
        return;
      }
      if (hindered !== undefined) destination.write(notice(`The log could not be rotated: ${hindered}`));
      if (lost === 0 || !moved) return;
      const report = notice(`${lost} log lines were lost: ${reason}`);
      lost = 0;
      destination.write(report);
    },
    close() {
      if (closed) return;
      closed = true;
      try {
        retry();
      } catch (thrown) {
        countLost(thrown);
      }
      destination.destroy();
    },
  };
}

/** Undefined: nothing is there. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function openDestination(path: string) {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) chmodSync(path, 0o600);
    return pino.destination({
      dest: path,
      sync: true,
      append: true,
      mode: 0o600,
      maxLength: HELD_BACK_BYTES,
      // A file that is busy is tried again with the next line, not waited for.
      retryEAGAIN: () => false,
    });
  } catch (thrown) {
    throw new EdgeError(
      'state_unwritable',
      `The log file ${path} cannot be opened: ${describeError(thrown)}.`,
      'Make its directory writable for this user, or name another file as logging.file (EDGE_LOGGING_FILE).',
      { cause: thrown },
    );
  }
}

/** When a log is rotated, and how much stays: at most `maxBytes` and one line in each of `keep` + 1 files. */
export interface RotationLimits {
  readonly maxBytes: number;
  /** The oldest line of a log may be so old; 0: any age. */
  readonly maxAgeMs: number;
  /** At least 1. */
  readonly keep: number;
}

/** After a rotation failed (no room for the copy), so long until the next one is tried. */
const RETRY_MS = 60_000;

/**
 * Decides, before each line, whether the log is to be rotated first. By size and age; the age is that of the oldest line in
 * it, so it counts over restarts. Nothing is looked at before the first line: until then another agent may own the file.
 */
class LogRotation {
  private size = 0;
  private begunAt = 0;
  private begun = false;
  private notBefore = 0;

  constructor(
    private readonly path: string,
    private limits: RotationLimits,
    private readonly clock: Clock,
  ) {}

  /** Takes effect with the next line. */
  setLimits(limits: RotationLimits): void {
    if (limits.keep < this.limits.keep) this.begun = false;
    this.limits = limits;
  }

  /** The file at the path is another one now. */
  startAnew(): void {
    this.begun = false;
  }

  /** To be called before so many bytes are written. Returns why the log could not be rotated, if it was due. */
  before(bytes: number): string | undefined {
    try {
      if (!this.begun) this.begin();
      if (!this.isDue(bytes) || this.clock.monotonic() < this.notBefore) return undefined;
      this.notBefore = this.clock.monotonic() + RETRY_MS;
      rotateLog(this.path, this.limits.keep);
      this.notBefore = 0;
      this.size = 0;
      this.begunAt = this.clock.now();
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  /** So many bytes have reached the file. */
  wrote(bytes: number): void {
    this.size += bytes;
  }

  private isDue(bytes: number): boolean {
    if (this.size === 0) {
      this.begunAt = this.clock.now();
      return false;
    }
    const { maxBytes, maxAgeMs } = this.limits;
    return this.size + bytes > maxBytes || (maxAgeMs > 0 && this.clock.now() - this.begunAt > maxAgeMs);
  }

  private begin(): void {
    this.begun = true;
    try {
      if (statSync(this.path).isFile()) finishRotation(this.path, this.limits.keep);
    } catch (error) {
      this.notBefore = this.clock.monotonic() + RETRY_MS;
      throw error;
    } finally {
      const { size, mtimeMs } = statSync(this.path);
      this.size = size;
      this.begunAt = firstTime(this.path) ?? mtimeMs;
    }
  }
}

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

/** When the first line of a log was written, in either format; undefined if it does not say. */
function firstTime(path: string): number | undefined {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(64);
    const [time] = TIME.exec(head.toString('latin1', 0, readSync(file, head, 0, head.length, 0))) ?? [];
    return time === undefined ? undefined : Date.parse(time);
  } finally {
    closeSync(file);
  }
}

/**
 * Moves the lines of a log to `<path>.1`, and what was there to `.2` and so on; at most `keep` such files stay. The log
 * itself keeps its name and its inode, so that `tail -f` and programs that have it open for appending continue with it.
 * At every instant each line is in at least one file: a crash may leave lines in two of them, see `finishRotation`.
 * Throws if there is no space for the copy; then nothing has changed.
 */
function rotateLog(path: string, keep: number): void {
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
function finishRotation(path: string, keep: number): void {
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

/** The files of a log that are there: the rotated ones (`.9` … `.1`), oldest first, and the current one last. */
export function logFiles(current: string): string[] {
  const name = basename(current);
  const numbers = entriesOf(dirname(current))
    .filter((entry) => entry.startsWith(`${name}.`))
    .map((entry) => entry.slice(name.length + 1))
    .filter((ending) => /^[1-9]\d{0,5}$/.test(ending));
  const rotated = numbers.map(Number).toSorted((a, b) => b - a);
  return [...rotated.map((number) => `${current}.${number}`), current];
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(join(directory));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
