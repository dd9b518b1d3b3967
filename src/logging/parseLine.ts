import type { LogEvent, LogLevel } from './formatLine.js';

/** A line of the log, read back. `fields` of a text line are the words behind its message, as they stand there. */
export type ReadEvent = LogEvent;

const TEXT = /^\[([^\]]+)\] \[(DEBUG|INFO|WARN|ERROR)\] (.*)$/s;
const LEVELS: ReadonlySet<string> = new Set(['debug', 'info', 'warn', 'error']);
/** ` key=value` or ` key="quoted"` at the end of a line. */
const LAST_FIELD = / ([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s"=]+)$/;

/**
 * Parses a line of the agent's log, in either format; undefined for a line that the agent did not write, such as a line
 * of a stack, or whose level is not among `wanted`. In a text line the message ends where the fields begin.
 */
export function parseLine(line: string, wanted: ReadonlySet<string> = LEVELS): ReadEvent | undefined {
  return line.startsWith('{') ? parseJson(line, wanted) : parseText(line, wanted);
}

/** Whether a line is one that the agent's log has; cheaper than to read it. */
export function isEventLine(line: string): boolean {
  if (line.startsWith('{')) return parseJson(line, LEVELS) !== undefined;
  const [, time = ''] = TEXT.exec(line) ?? [];
  return !Number.isNaN(Date.parse(time));
}

function parseText(line: string, wanted: ReadonlySet<string>): ReadEvent | undefined {
  const [, time = '', written = '', rest = ''] = TEXT.exec(line) ?? [];
  const level = written.toLowerCase();
  // Before what takes time: most lines may be of another level.
  if (!wanted.has(level)) return undefined;
  const at = Date.parse(time);
  if (Number.isNaN(at)) return undefined;
  const fields: [string, string][] = [];
  let message = rest;
  for (;;) {
    const [whole = '', key = '', value = ''] = LAST_FIELD.exec(message) ?? [];
    if (whole === '') break;
    fields.unshift([key, value.startsWith('"') ? unquoted(value) : value]);
    message = message.slice(0, -whole.length);
  }
  return { time: at, level: level as LogLevel, message, fields: Object.fromEntries(fields) };
}

function unquoted(value: string): string {
  try {
    return String(JSON.parse(value));
  } catch {
    // Quotes that are part of a message, not ours: they stay as they are.
    return value;
  }
}

function parseJson(line: string, wanted: ReadonlySet<string>): ReadEvent | undefined {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // A foreign message that happens to begin with a brace.
    return undefined;
  }
  const { time, level, msg, ...fields } = record;
  const at = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(at) || typeof level !== 'string' || !wanted.has(level)) return undefined;
  return { time: at, level: level as LogLevel, message: String(msg), fields: fields as LogEvent['fields'] };
}
