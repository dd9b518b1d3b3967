import { closeSync, fstatSync, openSync } from 'node:fs';
import { isMissing } from '../system/missingFile.js';
import type { LogLevel } from './formatLine.js';
import { linesFromEnd } from './linesFromEnd.js';
import { parseLine, type ReadEvent } from './parseLine.js';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
/** So much of the file's end is looked at. */
const MOST_BYTES = 512 * 1024;

/**
 * The end of a log file, for repeated requests: read backwards only as far as needed, and not at all if the file has
 * not changed since the same request.
 */
export class NewestEvents {
  private last: { question: string; events: readonly ReadEvent[] } | undefined;

  constructor(private readonly path: string) {}

  /** The newest events of at least that level, the oldest first; none where there is no file. */
  read(level: LogLevel, limit: number): readonly ReadEvent[] {
    let fd: number;
    try {
      fd = openSync(this.path, 'r');
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    try {
      const { ino, size, mtimeMs } = fstatSync(fd);
      const question = [ino, size, mtimeMs, level, limit].join();
      if (this.last?.question !== question) {
        this.last = { question, events: eventsAtEnd(fd, size, level, limit) };
      }
      return this.last.events;
    } finally {
      closeSync(fd);
    }
  }
}

function eventsAtEnd(fd: number, size: number, level: LogLevel, limit: number): ReadEvent[] {
  const wanted = new Set(LEVELS.slice(LEVELS.indexOf(level)));
  const events: ReadEvent[] = [];
  for (const line of linesFromEnd(fd, size, MOST_BYTES)) {
    const event = parseLine(line, wanted);
    if (event !== undefined) events.push(event);
    if (events.length >= limit) break;
  }
  return events.toReversed();
}
