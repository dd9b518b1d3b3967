import { FORMATTERS, type LogEvent, type LogLevel } from '../../logging/formatLine.js';
import { parseLine } from '../../logging/parseLine.js';
import { paint, type Style, type Terminal } from '../terminal.js';
import { parsePast } from '../times.js';

/** Which lines are wanted. `since` is Unix ms. */
export interface LogWish {
  since: number | undefined;
  level: LogLevel;
  pattern: RegExp | undefined;
  id: string | undefined;
}

/** A wanted line: for a person, and for programs. */
export interface LogEntry {
  shown: string;
  record: Record<string, unknown>;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
const STYLES: Readonly<Partial<Record<LogLevel, Style>>> = { debug: 'dim', warn: 'yellow', error: 'red' };

/** What the options ask for; `fault` says which of them cannot be understood. */
export function logWish(
  options: { since?: string; level?: string; grep?: string; id?: string },
  now: number,
): LogWish | { fault: string } {
  const level = LEVELS.find((name) => name === (options.level ?? 'debug').toLowerCase());
  if (level === undefined)
    return { fault: `--level: expected ${LEVELS.join(', ')}, found "${options.level}".` };
  if (options.id === '') return { fault: '--id: expected an id, found nothing.' };
  const since = options.since === undefined ? undefined : parsePast(options.since, now);
  if (options.since !== undefined && since === undefined) {
    return {
      fault: `--since: expected 10m, 2h, 1d, 18:30 or a time such as 2026-12-24T18:30, found "${options.since}".`,
    };
  }
  try {
    const pattern = options.grep === undefined ? undefined : new RegExp(options.grep);
    return { since, level, pattern, id: options.id };
  } catch {
    // Its message would repeat the pattern in the words of the engine.
    return { fault: `--grep: "${options.grep}" is not a regular expression.` };
  }
}

/** Lets the wanted lines through. A line that is not of the log's own form belongs to the one before it. */
export class LogFilter {
  private wasWanted = false;
  private last: LogEvent | undefined;

  constructor(
    private readonly wish: LogWish,
    private readonly terminal: Terminal,
  ) {}

  /** The wanted ones of lines that follow one another. */
  entries(lines: readonly string[]): LogEntry[] {
    return lines.flatMap((line) => this.entry(line) ?? []);
  }

  private entry(line: string): LogEntry | undefined {
    if (line === '') return undefined;
    const event = parseLine(line);
    if (event !== undefined) this.wasWanted = this.isWanted(event, line);
    this.last = event ?? this.last;
    if (!this.wasWanted) return undefined;
    if (event === undefined) return { shown: line, record: continued(line, this.last) };
    const text = line.startsWith('{') ? FORMATTERS.text(event, asItIs).trimEnd() : line;
    const style = STYLES[event.level];
    const { time, level, message, fields } = event;
    return {
      shown: style === undefined ? text : paint(this.terminal, style, text),
      record: { time: new Date(time).toISOString(), level, msg: message, ...fields },
    };
  }

  private isWanted(event: LogEvent, line: string): boolean {
    const { since, level, pattern, id } = this.wish;
    return (
      (since === undefined || event.time >= since) &&
      LEVELS.indexOf(event.level) >= LEVELS.indexOf(level) &&
      (pattern === undefined || pattern.test(line)) &&
      (id === undefined || carries(line, id))
    );
  }
}

function continued(line: string, event: LogEvent | undefined): Record<string, unknown> {
  if (event === undefined) return { msg: line };
  return { time: new Date(event.time).toISOString(), level: event.level, msg: line };
}

/** Whether an id stands in the line as a whole, not as a piece of another. */
function carries(line: string, id: string): boolean {
  for (let at = line.indexOf(id); at >= 0; at = line.indexOf(id, at + 1)) {
    const around = `${line[at - 1] ?? ' '}${line[at + id.length] ?? ' '}`;
    if (!/[\w-]/.test(around)) return true;
  }
  return false;
}

function asItIs(text: string): string {
  return text;
}
