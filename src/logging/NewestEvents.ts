import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isMissing } from '../system/missingFile.js';
import type { LogLevel } from './formatLine.js';
import { parseLine, type ReadEvent } from './parseLine.js';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
/** So much of the file's end is looked at, a block at a time. */
const MOST_BYTES = 512 * 1024;
const BLOCK_BYTES = 32 * 1024;
const NEWLINE = 0x0a;

/**
 * The end of a log file, for somebody who asks again and again: read backwards only as far as it takes, and not at all
 * while the file is as it was at the same question before.
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
  for (const line of linesFromEnd(fd, size)) {
    const event = parseLine(line, wanted);
    if (event !== undefined) events.push(event);
    if (events.length >= limit) break;
  }
  return events.toReversed();
}

/** Whole lines, the last first. Lines are cut apart as bytes: a block may begin within a character. */
function* linesFromEnd(fd: number, size: number): Generator<string> {
  const least = Math.max(0, size - MOST_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  for (let end = size; end > least; ) {
    const from = Math.max(least, end - BLOCK_BYTES);
    const block = Buffer.alloc(end - from);
    const count = readSync(fd, block, 0, block.length, from);
    const bytes = Buffer.concat([block.subarray(0, count), rest]);
    let upTo = bytes.length;
    for (
      let at = bytes.lastIndexOf(NEWLINE);
      at >= 0;
      at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)
    ) {
      yield bytes.toString('utf8', at + 1, upTo);
      upTo = at;
    }
    rest = bytes.subarray(0, upTo);
    end = from;
  }
  // Without the file's beginning it is not known whether this is a whole line.
  if (least === 0) yield rest.toString('utf8');
}
