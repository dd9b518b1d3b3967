import { FORMATTERS, type LogEvent, type LogLevel } from '../../logging/formatLine.js';
import { nextEvent } from '../../logging/LogFiles.js';
import { isEventLine, parseLine } from '../../logging/parseLine.js';
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
  /** Byte strings of which a wanted event has one; none: it cannot be checked that way. */
  private marks: readonly Buffer[];
  private isFitted = false;
  private readonly levels: ReadonlySet<string>;

  constructor(
    private readonly wish: LogWish,
    private readonly terminal: Terminal,
  ) {
    const levels = LEVELS.slice(LEVELS.indexOf(wish.level));
    this.levels = new Set(levels);
    this.marks = marksOf(wish, levels).map((mark) => Buffer.from(mark));
  }

  /**
   * The wanted ones of a block of the log (`LogFiles`). Searched as bytes first: of most blocks nothing is wanted, and then no line of
   * them is read.
   */
  ofBlock(block: Buffer): LogEntry[] {
    this.wasWanted = false;
    if (!this.isFitted) this.marks = this.marks.map((mark) => rareEnd(mark, block));
    this.isFitted = true;
    if (this.marks.length === 0) return this.entries(block.toString('utf8').split('\n'));
    const found: LogEntry[] = [];
    const hits = this.marks.map((mark) => ({ mark, at: block.indexOf(mark) }));
    for (let from = 0; ; ) {
      for (const hit of hits) if (hit.at >= 0 && hit.at < from) hit.at = block.indexOf(hit.mark, from);
      const at = Math.min(...hits.map((hit) => (hit.at < 0 ? Infinity : hit.at)));
      if (at === Infinity) return found;
      const begin = block.lastIndexOf(0x0a, at) + 1;
      from = nextEvent(block, at);
      this.wasWanted = false;
      found.push(...this.entries(block.toString('utf8', begin, from).split('\n')));
    }
  }

  /** The wanted ones of lines that follow one another. */
  entries(lines: readonly string[]): LogEntry[] {
    return lines.flatMap((line) => this.entry(line) ?? []);
  }

  private entry(line: string): LogEntry | undefined {
    if (line === '') return undefined;
    const event = this.isPromising(line) ? parseLine(line) : undefined;
    if (event !== undefined) this.wasWanted = this.isWanted(event);
    else if (isEventLine(line)) this.wasWanted = false;
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

  /** Whether the raw line may be wanted, if it is an event. */
  private isPromising(line: string): boolean {
    const { pattern, id } = this.wish;
    return (pattern === undefined || pattern.test(line)) && (id === undefined || carries(line, id));
  }

  private isWanted({ time, level }: LogEvent): boolean {
    const { since } = this.wish;
    return (since === undefined || time >= since) && this.levels.has(level);
  }
}

/** What shows in either format that an event may be wanted. */
function marksOf({ level, id }: LogWish, levels: readonly LogLevel[]): readonly string[] {
  if (id !== undefined) return [id];
  if (level !== 'warn' && level !== 'error') return [];
  return levels.flatMap((name) => [`${name.toUpperCase()}] `, `"level":"${name}"`]);
}

/** So much of the log shows which bytes are rare in it. */
const SAMPLE_BYTES = 8 * 1024;
/** An end of a mark that is shorter would be found too often. */
const SHORTEST_END = 6;

/** The end of a mark that begins with its rarest byte: a search runs from one place with the first byte to the next. */
function rareEnd(mark: Buffer, block: Buffer): Buffer {
  const counts = new Uint32Array(256);
  for (const byte of block.subarray(0, SAMPLE_BYTES)) counts[byte] = (counts[byte] ?? 0) + 1;
  const count = (at: number) => counts[mark[at] ?? 0] ?? 0;
  let rarest = 0;
  for (let at = 1; at <= mark.length - SHORTEST_END; at++) if (count(at) < count(rarest)) rarest = at;
  return mark.subarray(rarest);
}

function continued(line: string, event: LogEvent | undefined): Record<string, unknown> {
  if (event === undefined) return { msg: line };
  return { time: new Date(event.time).toISOString(), level: event.level, msg: line };
}

/** Whether the line has the whole id, not as a part of another one. */
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
