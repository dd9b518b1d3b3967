import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { describeError, EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { LogRotation, type RotationLimits } from './LogRotation.js';

/** While the file takes nothing (disk full), so many bytes of lines are kept for later; more are counted as lost. */
const HELD_BACK_BYTES = 256 * 1024;
/** At most so often is looked whether the file is still the one at its path. */
const LOOK_EVERY_MS = 1_000;

interface LineFileOptions {
  readonly path: string;
  /** Undefined: the file only grows. */
  readonly rotate: RotationLimits | undefined;
  readonly clock: Clock;
  /** Whether its directory is made again where somebody removed it. */
  readonly remakesDirectory: boolean;
  /** The line that is written in the file for a fault of the file itself. */
  readonly notice: (message: string) => string;
}

/**
 * A file of whole lines, rotated. Where somebody removes or renames it, the lines go to a new one at its path, within a
 * second. Nothing here throws once it is open.
 */
interface LineFile {
  write(line: string): void;
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
  let reason = 'nothing more could be held back';
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
      destination.write(notice('The log file was gone from its place; this is a new one'));
    } catch (thrown) {
      // The lines go on into the old file, to be found by whoever has it open; the next look tries again.
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
    // What is held back is full, and then the destination does not try any more by itself.
    retry();
    dropped = false;
    destination.write(line);
    if (dropped) throw new Error(reason);
  };
  const countLost = (thrown: unknown) => {
    lost += 1;
    reason = describeError(thrown);
  };
  return {
    countLost,
    rotateBy(limits) {
      if (rotation === undefined) rotation = new LogRotation(path, limits, clock);
      else rotation.setLimits(limits);
    },
    write(line) {
      if (closed) return;
      followPath();
      const hindered = rotation?.before(Buffer.byteLength(line));
      moved = false;
      try {
        put(line);
      } catch (thrown) {
        countLost(thrown);
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
