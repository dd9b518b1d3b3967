import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { isMissing } from '../system/missingFile.js';
import { logFiles } from './LineFile.js';

const CHUNK_BYTES = 256 * 1024;
/** The maximum amount of text that is not a log line between two events; more is returned in pieces. */
const LARGEST_EVENT = 4 * 1024 * 1024;
const HEAD_BYTES = 128;
const NEWLINE = 0x0a;
const NOTHING: Buffer = Buffer.alloc(0);

interface OpenLog {
  fd: number;
  readonly path: string;
  /** Where its last whole line ends; of a rotated one: where it ends. */
  readonly end: number;
  readonly mtimeMs: number;
}

/**
 * The files of a log as they are when it is opened, read in blocks: memory is bounded, however large they are. Each block is whole
 * lines and begins with an event, so that what belongs to an event, such as the lines of a stack, is in its block. A rotation
 * meanwhile neither shows nor hides anything. Throws what the file system throws.
 */
export class LogFiles {
  private buffer = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);

  private constructor(
    private readonly path: string,
    /** The oldest first. */
    private readonly files: readonly OpenLog[],
    private mark: number | undefined,
    private readonly head: Buffer,
  ) {}

  static open(path: string): LogFiles {
    for (;;) {
      const mark = rotationMark(path);
      const files = logFiles(path).flatMap((file) => openLog(file, file === path));
      const current = files.at(-1);
      const head =
        current?.path === path ? readAt(current.fd, 0, Math.min(HEAD_BYTES, current.end)) : NOTHING;
      const opened = new LogFiles(path, files, mark, head);
      if (rotationMark(path) === mark) return opened;
      opened.close();
    }
  }

  /** Whether there is nothing to read. */
  get isEmpty(): boolean {
    return this.files.every(({ end }) => end === 0);
  }

  /** Where the last whole line of the current file ends; undefined where there is no such file. */
  get end(): number | undefined {
    return this.files.find(({ path }) => path === this.path)?.end;
  }

  /** The blocks from the end on, the newest first. A block is good until the next one is asked for. */
  *newestFirst(): Generator<Buffer> {
    let rest = NOTHING;
    for (const file of this.files.toReversed()) {
      for (let end = file.end; end > 0; ) {
        const from = Math.max(0, end - CHUNK_BYTES);
        const bytes = this.read(file, from, end, { behind: rest });
        const cut = from === 0 && isEventStart(bytes, 0) ? 0 : nextEvent(bytes, 0);
        const begin = cut === bytes.length && bytes.length > LARGEST_EVENT ? 0 : cut;
        rest = Buffer.from(bytes.subarray(0, begin));
        if (begin < bytes.length) yield bytes.subarray(begin);
        end = from;
      }
    }
    if (rest.length > 0) yield rest;
  }

  /** The blocks from the beginning on, as `newestFirst`; without the files that were last written before `since` (Unix ms). */
  *oldestFirst(since = -Infinity): Generator<Buffer> {
    let rest = NOTHING;
    for (const file of this.files) {
      if (file.mtimeMs < since && file.path !== this.path) continue;
      for (let from = 0; from < file.end; ) {
        const until = Math.min(file.end, from + CHUNK_BYTES);
        const bytes = this.read(file, from, until, { before: rest });
        const cut = bytes.length > LARGEST_EVENT ? bytes.lastIndexOf(NEWLINE) + 1 : lastEvent(bytes);
        rest = Buffer.from(bytes.subarray(cut));
        if (cut > 0) yield bytes.subarray(0, cut);
        from = until;
      }
    }
    if (rest.length > 0) yield rest;
  }

  close(): void {
    for (const { fd } of this.files) closeSync(fd);
  }

  /** These bytes of a file between the others, in the one buffer that all blocks are in. A file's last line ends there. */
  private read(
    file: OpenLog,
    from: number,
    until: number,
    { before = NOTHING, behind = NOTHING }: { before?: Buffer; behind?: Buffer },
  ): Buffer {
    const most = before.length + until - from + 1 + behind.length;
    if (this.buffer.length < most) this.buffer = Buffer.allocUnsafeSlow(2 * most);
    const { buffer } = this;
    before.copy(buffer);
    let length = before.length + readInto(buffer, before.length, file.fd, from, until);
    if (file.path === this.path && rotationMark(this.path) !== this.mark) {
      this.followRotation(file);
      length = before.length + readInto(buffer, before.length, file.fd, from, until);
    }
    if (until === file.end && buffer[length - 1] !== NEWLINE) buffer[length++] = NEWLINE;
    return buffer.subarray(0, length + behind.copy(buffer, length));
  }

  /** The current file was copied, and may have been cut: what was in it is read from the copy. */
  private followRotation(file: OpenLog): void {
    this.mark = rotationMark(this.path);
    for (const path of logFiles(this.path).slice(0, -1).toReversed()) {
      const [copy] = openLog(path, false);
      if (copy === undefined) continue;
      if (copy.end >= file.end && readAt(copy.fd, 0, this.head.length).equals(this.head)) {
        closeSync(file.fd);
        file.fd = copy.fd;
        return;
      }
      closeSync(copy.fd);
    }
  }
}

/** How the lines of the log begin, in either format. */
const TEXT_START = /^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] \[(?:DEBUG|INFO|WARN|ERROR)\] /;
const LONGEST_START = '[2026-11-20T08:00:00.000Z] [ERROR] '.length;
const JSON_START = Buffer.from('{"time":"');
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** Where the next event begins behind this place, or the end. */
export function nextEvent(bytes: Buffer, behind: number): number {
  for (let at = bytes.indexOf(NEWLINE, behind); at >= 0; at = bytes.indexOf(NEWLINE, at + 1))
    if (isEventStart(bytes, at + 1)) return at + 1;
  return bytes.length;
}

function lastEvent(bytes: Buffer): number {
  for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1))
    if (isEventStart(bytes, at + 1)) return at + 1;
  return 0;
}

function isEventStart(bytes: Buffer, at: number): boolean {
  if (bytes[at] === BRACKET) return TEXT_START.test(bytes.toString('latin1', at, at + LONGEST_START));
  return bytes[at] === BRACE && bytes.subarray(at, at + JSON_START.length).equals(JSON_START);
}

/** Another one after each rotation. */
function rotationMark(path: string): number | undefined {
  return statSync(`${path}.1`, { throwIfNoEntry: false })?.ino;
}

function openLog(path: string, isCurrent: boolean): OpenLog[] {
  try {
    const fd = openSync(path, 'r');
    const { size, mtimeMs } = fstatSync(fd);
    return [{ fd, path, mtimeMs, end: isCurrent ? endOfLines(fd, size) : size }];
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The writer may be in the middle of the last line. */
function endOfLines(fd: number, size: number): number {
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - CHUNK_BYTES);
    const at = readAt(fd, from, end - from).lastIndexOf(NEWLINE);
    if (at >= 0) return from + at + 1;
    end = from;
  }
  return 0;
}

function readAt(fd: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readInto(bytes, 0, fd, from, from + length));
}

/** Returns how many bytes were read: fewer where the file has become shorter. */
function readInto(buffer: Buffer, at: number, fd: number, from: number, until: number): number {
  for (let count = 0; ; ) {
    const read =
      from + count < until ? readSync(fd, buffer, at + count, until - from - count, from + count) : 0;
    if (read === 0) return count;
    count += read;
  }
}
