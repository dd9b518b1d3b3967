import { pino } from 'pino';
import { type Clock, systemClock, type Timer } from '../system/clock.js';
import {
  concealedEvent,
  FORMATTERS,
  type LogEvent,
  type LogFormat,
  type LogLevel,
  redactor,
} from './formatLine.js';
import { openLineFile, type RotationLimits } from './LineFile.js';
import type { LogFields, Logger } from './Logger.js';

/** What may change while the log is open. */
export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Undefined: the file only grows. */
  readonly rotate?: RotationLimits | undefined;
}

export interface LogOptions extends LogSettings {
  /**
   * Created with mode 0600 (its directories 0700) and appended to; an existing file is set to 0600. Undefined: lines go to the console
   * alone, where something else keeps them (journald, Docker).
   */
  readonly file: string | undefined;
  /** Gets every line as well, for a person in front of it. */
  readonly console?: NodeJS.WritableStream | undefined;
  readonly clock?: Clock | undefined;
  /** False: a removed directory is not created again, because it may be put back; meanwhile lines go to the old file. */
  readonly remakesDirectory?: boolean;
  /** Secrets that no line may contain; they are replaced by `[secret]`. */
  readonly redact?: readonly string[] | undefined;
}

/** An open log file and the logger that writes to it. */
export interface LogFile {
  readonly logger: Logger;
  /** Takes effect with the next line. */
  configure(settings: LogSettings): void;
  /** Further secrets that no later line may contain. */
  redact(secrets: readonly string[]): void;
  /**
   * Calls `listener` with each event of that level that is written (undefined: of each), secrets concealed; it must not throw. Returns
   * the unsubscribe.
   */
  listen(listener: (event: LogEvent) => void, level?: LogLevel): () => void;
  /** Writes what is still held back, if it can, and lets go of file and console. Later lines are dropped. Idempotent. */
  close(): void;
}

/** pino hands message and fields to a stream that carries this mark; the line is then ours to write. */
const WITH_METADATA = Symbol.for('pino.metadata');

/**
 * Opens the log. Each line is in the file (handed to the system) when the call returns, or the `together` in which it was made, so that
 * a crash loses none;
 * one event is one line; of a fault that repeats only the first lines and then their number are written (see Repeats). Logging
 * never throws: what cannot be written is kept up to 256 KiB, then dropped, and the number of dropped lines is logged when
 * the file takes lines again. Throws `state_unwritable` if it cannot be opened.
 */
export function createLogger(options: LogOptions): LogFile {
  const clock = options.clock ?? systemClock;
  const secrets = [...(options.redact ?? [])];
  let conceal = redactor(secrets);
  let { format } = options;
  const line = (event: LogEvent) => FORMATTERS[format](event, conceal);
  const file =
    options.file === undefined
      ? undefined
      : openLineFile({
          path: options.file,
          remakesDirectory: options.remakesDirectory ?? true,
          rotate: options.rotate,
          clock,
          notice: (message) => line({ time: clock.now(), level: 'warn', message, fields: {} }),
        });
  const terminal = options.console === undefined ? undefined : attach(options.console);

  let isTogether = false;
  let held: string[] = [];
  const writeHeld = () => {
    const lines = held;
    held = [];
    for (const piece of piecesOf(lines)) file?.write(piece.join(''), piece.length);
  };
  const together = (work: () => void) => {
    if (isTogether) {
      work();
      return;
    }
    isTogether = true;
    try {
      work();
    } finally {
      isTogether = false;
      writeHeld();
    }
  };
  const listeners = new Map<(event: LogEvent) => void, LogLevel | undefined>();
  const sink = {
    [WITH_METADATA]: true,
    lastMsg: '',
    lastObj: {} as LogFields,
    lastLevel: 0,
    write() {
      const level = pino.levels.labels[this.lastLevel] as LogLevel;
      const event = { time: clock.now(), level, message: this.lastMsg, fields: this.lastObj };
      const text = line(event);
      if (isTogether) held.push(text);
      else file?.write(text);
      if (level === 'warn' || level === 'error') writeHeld();
      terminal?.write(text);
      for (const [listener, wanted] of listeners)
        if (wanted === undefined || wanted === level) listener(concealedEvent(event, conceal));
    },
  };
  const backing = pino({ level: options.level, base: null, timestamp: false }, sink);
  const write = (level: LogLevel, message: string, fields: LogFields) => {
    try {
      backing[level](fields, message);
    } catch (thrown) {
      file?.countLost(thrown);
    }
  };
  const repeats = new Repeats(clock, write);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (backing.isLevelEnabled(level) && repeats.admit(level, message, fields))
        write(level, message, fields);
    };
  return {
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), together },
    configure: (settings) => {
      backing.level = settings.level;
      format = settings.format;
      if (settings.rotate !== undefined) file?.rotateBy(settings.rotate);
    },
    redact: (more) => {
      secrets.push(...more);
      conceal = redactor(secrets);
    },
    listen: (listener, level) => {
      listeners.set(listener, level);
      return () => listeners.delete(listener);
    },
    close: () => {
      repeats.close();
      writeHeld();
      backing.level = 'silent';
      file?.close();
      terminal?.close();
    },
  };
}

/** Characters in one write, unless one line alone is longer. */
const PIECE = 16 * 1024;

/** The lines in as few pieces as are written at a time, in their order. */
function* piecesOf(lines: readonly string[]): Generator<readonly string[]> {
  let piece: string[] = [];
  let size = 0;
  for (const line of lines) {
    if (piece.length > 0 && size + line.length > PIECE) {
      yield piece;
      piece = [];
      size = 0;
    }
    piece.push(line);
    size += line.length;
  }
  if (piece.length > 0) yield piece;
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

/** How many faults of one kind are logged in full before the rest of the series is only counted. */
const WRITTEN_IN_FULL = 5;
const WINDOW_MS = 60_000;
/** Kinds that are watched at a time; beyond that each line is written. */
const MOST_KINDS = 1_000;
/** The fields that identify the kind of a fault; other fields say what it affected. */
const TELLING = ['code', 'cause', 'status', 'error', 'reason'] as const;

interface Series {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  written: number;
  suppressed: number;
  timer: Timer;
}

/** The end of a window in which lines were not written. */
type Summary = (level: LogLevel, message: string, fields: LogFields) => void;

/**
 * Keeps a fault that repeats from filling the log: of warnings and errors with the same words and the same cause the
 * first five are written, then one summary a minute while it lasts. Lines with other words are always written: no
 * change of state is hidden.
 */
class Repeats {
  private readonly series = new Map<string, Series>();

  constructor(
    private readonly clock: Clock,
    private readonly summary: Summary,
  ) {}

  /** Whether the line is to be written now. */
  admit(level: LogLevel, message: string, fields: LogFields): boolean {
    if (level !== 'warn' && level !== 'error') return true;
    const key = JSON.stringify([level, message, ...TELLING.map((name) => fields[name])]);
    const known = this.series.get(key);
    if (known === undefined) {
      if (this.series.size < MOST_KINDS) this.begin(key, level, message, fields);
      return true;
    }
    if (known.written < WRITTEN_IN_FULL) {
      known.written += 1;
      return true;
    }
    known.suppressed += 1;
    return false;
  }

  /** Logs what has not been logged yet. No timer is left after this. */
  close(): void {
    for (const series of this.series.values()) {
      series.timer.cancel();
      this.logRepeats(series);
    }
    this.series.clear();
  }

  private begin(key: string, level: LogLevel, message: string, fields: LogFields): void {
    const telling = TELLING.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]]));
    const timer = this.clock.after(WINDOW_MS, () => this.windowEnded(key));
    const shown = Object.fromEntries(telling) as LogFields;
    this.series.set(key, { level, message, fields: shown, written: 1, suppressed: 0, timer });
  }

  private windowEnded(key: string): void {
    const series = this.series.get(key);
    if (series === undefined) return;
    if (series.suppressed === 0) {
      this.series.delete(key);
      return;
    }
    this.logRepeats(series);
    series.timer = this.clock.after(WINDOW_MS, () => this.windowEnded(key));
  }

  private logRepeats(series: Series): void {
    const { level, message, fields, suppressed } = series;
    if (suppressed === 0) return;
    series.suppressed = 0;
    this.summary(level, `${message} … ${suppressed} more in ${WINDOW_MS / 1000} s`, fields);
  }
}
