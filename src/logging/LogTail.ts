import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { isMissing } from '../system/missingFile.js';

const CHUNK_BYTES = 256 * 1024;
/** Lines begin with their time, so this distinguishes the contents of a file before and after a rotation. */
const HEAD_BYTES = 128;

interface OpenFile {
  fd: number;
  inode: number;
  position: number;
  head: string;
  decoder: StringDecoder;
  rest: string;
}

/**
 * Reads new lines of a file across every way of rotating it: copied and truncated, or renamed and created again. Lines
 * written between the last read and the rotation are read from the rotated file (`.1`); a line is returned once it is
 * complete, or once its file is no longer used. Nothing runs between two calls of `read`.
 */
export class LogTail {
  private file: OpenFile | undefined;

  /**
   * Starts after the current end of the file, with its first line, or with the line that begins at that byte. If the
   * file does not exist yet, it waits for it.
   */
  constructor(
    private readonly path: string,
    from: 'start' | 'end' | number,
  ) {
    this.file = open(path, typeof from === 'number' ? from : 0);
    if (this.file !== undefined && from === 'end') this.file.position = fstatSync(this.file.fd).size;
  }

  /** The lines that have come since the last call. */
  read(): string[] {
    const lines: string[] = [];
    const { file } = this;
    if (file === undefined) this.file = open(this.path, 0);
    else if (wasCut(file)) this.reopen(lines, readOn(`${this.path}.1`, file));
    else {
      drain(file, lines);
      if (wasReplaced(file, this.path)) {
        // Whatever was written to it before the writer let go of it.
        drain(file, lines);
        this.reopen(lines, []);
      }
    }
    if (this.file !== undefined && this.file !== file) drain(this.file, lines);
    return lines;
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
    this.file = undefined;
  }

  private reopen(lines: string[], missed: readonly string[]): void {
    lines.push(...missed);
    const { file } = this;
    if (file !== undefined) {
      if (missed.length === 0 && file.rest !== '') lines.push(file.rest);
      closeSync(file.fd);
    }
    this.file = open(this.path, 0);
  }
}

function open(path: string, position: number): OpenFile | undefined {
  try {
    const fd = openSync(path, 'r');
    const { ino: inode } = fstatSync(fd);
    return { fd, inode, position, head: headOf(fd), decoder: new StringDecoder('utf8'), rest: '' };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function headOf(fd: number): string {
  const bytes = Buffer.alloc(HEAD_BYTES);
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, HEAD_BYTES, 0));
}

/** Whether the file was cut to nothing since, however much it has grown again. */
function wasCut(file: OpenFile): boolean {
  if (fstatSync(file.fd).size < file.position) return true;
  const head = headOf(file.fd);
  if (!head.startsWith(file.head)) return true;
  file.head = head;
  return false;
}

function wasReplaced(file: OpenFile, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino !== file.inode;
}

/** What the copy of a file that was cut has behind the point up to which the file itself was read. */
function readOn(path: string, file: OpenFile): string[] {
  const copy = open(path, file.position);
  if (copy === undefined) return [];
  try {
    if (!copy.head.startsWith(file.head)) return [];
    const lines: string[] = [];
    copy.rest = file.rest;
    copy.decoder = file.decoder;
    drain(copy, lines);
    return copy.rest === '' ? lines : [...lines, copy.rest];
  } finally {
    closeSync(copy.fd);
  }
}

function drain(file: OpenFile, lines: string[]): void {
  const bytes = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const count = readSync(file.fd, bytes, 0, CHUNK_BYTES, file.position);
    if (count === 0) return;
    file.position += count;
    const [rest = '', ...whole] = (file.rest + file.decoder.write(bytes.subarray(0, count)))
      .split('\n')
      .toReversed();
    file.rest = rest;
    lines.push(...whole.toReversed());
  }
}
