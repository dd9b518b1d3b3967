import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { describeError, EdgeError } from '../errors.js';
import { type Clock, systemClock } from '../system/clock.js';
import { FORMATTERS, type LogEvent, type LogFormat, type LogLevel } from './formatLine.js';
import type { LogFields, Logger } from './Logger.js';
import { redactor } from './redact.js';

export interface LogOptions {
  /** Created with mode 0600 (its directories 0700) and appended to; an existing file is set to 0600. */
  readonly file: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Gets every line as well, for a person in front of it. */
  readonly console?: NodeJS.WritableStream | undefined;
  readonly clock?: Clock | undefined;
  /** Secrets that no line may contain; `[secret]` stands in their place. */
  readonly redact?: readonly string[] | undefined;
}

/** An open log file and the logger that writes to it. */
export interface LogFile {
  readonly logger: Logger;
  /** Takes effect with the next line. */
  setLevel(level: LogLevel): void;
  /** Further secrets that no later line may contain. */
  redact(secrets: readonly string[]): void;
  /** Writes what is still held back, if it can, and lets go of file and console. Later lines are dropped. Idempotent. */
  close(): void;
}

/** While the file takes nothing (disk full), so many bytes of lines are kept for later; more are counted as lost. */
const HELD_BACK_BYTES = 256 * 1024;

/** pino hands message and fields to a stream that carries this mark; the line is then ours to write. */
const WITH_METADATA = Symbol.for('pino.metadata');

/**
 * Opens the log. Each line is in the file (handed to the system) when the call returns, so that a crash loses none;
 * one event is one line. Logging never throws: what cannot be written is kept up to 256 KiB, then dropped, and the
 * number of dropped lines is logged when the file takes lines again. Throws `state_unwritable` if it cannot be opened.
 */
export function createLogger(options: LogOptions): LogFile {
  const clock = options.clock ?? systemClock;
  const secrets = [...(options.redact ?? [])];
  let conceal = redactor(secrets);
  const file = openLineFile(options.file, (lost, reason) =>
    line({ time: clock.now(), level: 'warn', message: `${lost} log lines were lost: ${reason}`, fields: {} }),
  );
  const line = (event: LogEvent) => FORMATTERS[options.format](event, conceal);
  const terminal = options.console === undefined ? undefined : attach(options.console);

  const sink = {
    [WITH_METADATA]: true,
    lastMsg: '',
    lastObj: {} as LogFields,
    lastLevel: 0,
    write() {
      const level = pino.levels.labels[this.lastLevel] as LogLevel;
      const text = line({ time: clock.now(), level, message: this.lastMsg, fields: this.lastObj });
      file.write(text);
      terminal?.write(text);
    },
  };
  const backing = pino({ level: options.level, base: null, timestamp: false }, sink);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      try {
        backing[level](fields, message);
      } catch (thrown) {
        file.countLost(thrown);
      }
    };
  return {
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    setLevel: (level) => {
      backing.level = level;
    },
    redact: (more) => {
      secrets.push(...more);
      conceal = redactor(secrets);
    },
    close: () => {
      backing.level = 'silent';
      file.close();
      terminal?.close();
    },
  };
}

interface LineFile {
  write(line: string): void;
  /** Notes that a line could not even be written down, and why. */
  countLost(reason: unknown): void;
  close(): void;
}

function openLineFile(path: string, lossNotice: (lost: number, reason: string) => string): LineFile {
  const destination = openDestination(path);
  let lost = 0;
  let reason = 'nothing more could be held back';
  let closed = false;
  // Emitted inside write(); without a listener an 'error' would be thrown.
  destination.on('error', (error: unknown) => {
    reason = describeError(error);
  });
  let dropped = false;
  destination.on('drop', () => {
    dropped = true;
  });
  let moved = false;
  destination.on('write', () => {
    moved = true;
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
    write(line) {
      if (closed) return;
      moved = false;
      try {
        put(line);
      } catch (thrown) {
        countLost(thrown);
        return;
      }
      if (lost === 0 || !moved) return;
      const notice = lossNotice(lost, reason);
      lost = 0;
      destination.write(notice);
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

/** A console that may go away (a closed pipe) is left alone from then on. */
function attach(console: NodeJS.WritableStream): { write(line: string): void; close(): void } {
  let gone = false;
  const onError = () => {
    gone = true;
  };
  console.on('error', onError);
  return {
    write(line) {
      if (!gone) console.write(line);
    },
    close() {
      gone = true;
      console.off('error', onError);
    },
  };
}
