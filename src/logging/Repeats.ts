import type { Clock, Timer } from '../system/clock.js';
import type { LogLevel } from './formatLine.js';
import type { LogFields } from './Logger.js';

/** So many faults of one kind are told in full before the rest of their series is only counted. */
const WRITTEN_IN_FULL = 5;
const WINDOW_MS = 60_000;
/** Kinds that are watched at a time; beyond that each line is written. */
const MOST_KINDS = 1_000;
/** What tells one kind of a fault from another; other fields say whom it met. */
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
 * Keeps a fault that repeats from filling the log: of warnings and errors with the same words and the same cause the first
 * five are written, then one summary a minute while it goes on. Other words are another matter and are always
 * written: no change of state is hidden.
 */
export class Repeats {
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

  /** Tells what has not been told yet. No timer is left after this. */
  close(): void {
    for (const series of this.series.values()) {
      series.timer.cancel();
      this.tell(series);
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
    this.tell(series);
    series.timer = this.clock.after(WINDOW_MS, () => this.windowEnded(key));
  }

  private tell(series: Series): void {
    const { level, message, fields, suppressed } = series;
    if (suppressed === 0) return;
    series.suppressed = 0;
    this.summary(level, `${message} … ${suppressed} more in ${WINDOW_MS / 1000} s`, fields);
  }
}
