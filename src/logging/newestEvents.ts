import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LogLevel } from './formatLine.js';
import { parseLine, type ReadEvent } from './parseLine.js';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
/** So much of the file's end is looked at. */
const MOST_BYTES = 512 * 1024;

/** The newest events of a log file that are at least of that level, the oldest first; none where there is no file. */
export function newestEvents(path: string, level: LogLevel, limit: number): ReadEvent[] {
  const wanted = new Set(LEVELS.slice(LEVELS.indexOf(level)));
  const events: ReadEvent[] = [];
  for (const line of endOf(path).toReversed()) {
    const event = parseLine(line);
    if (event !== undefined && wanted.has(event.level)) events.push(event);
    if (events.length >= limit) break;
  }
  return events.toReversed();
}

function endOf(path: string): string[] {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(0, size - MOST_BYTES);
    const bytes = Buffer.alloc(size - from);
    const count = readSync(fd, bytes, 0, bytes.length, from);
    const lines = bytes.toString('utf8', 0, count).split('\n');
    return from === 0 ? lines : lines.slice(1);
  } finally {
    closeSync(fd);
  }
}
