import { readSync } from 'node:fs';

const BLOCK_BYTES = 32 * 1024;
const NEWLINE = 0x0a;

/**
 * The whole lines at the end of an open file of `size` bytes, the last first, read a block at a time: at most `mostBytes`. Lines are
 * cut apart as bytes, as a block may begin within a character. Throws what the file system throws.
 */
export function* linesFromEnd(fd: number, size: number, mostBytes: number): Generator<string> {
  const least = Math.max(0, size - mostBytes);
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
