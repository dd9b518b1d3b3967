import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { treePage } from './pageFormat.js';

/**
 * Of a new store. A commit writes each page that it touches whole, and what is changed at a time is some twenty small rows and index
 * entries in as many places.
 */
export const PAGE_BYTES = 1024;

/** Every store of ours has pages of one of these sizes: today's, and that of earlier versions. A header that says another is damaged. */
const SIZES: readonly number[] = [PAGE_BYTES, 4096];

/**
 * How large the pages of a store are, also of one without a header that can be read: by its log, else by the size of which more
 * pages are sound. Throws what the file system throws.
 */
export function pageBytesOf(path: string): number {
  const header = beginningOf(path, 18);
  const ofFile = header.toString('latin1', 0, 16) === 'SQLite format 3\0' ? header.readUInt16BE(16) : 0;
  const ofLog = existsSync(`${path}-wal`) ? beginningOf(`${path}-wal`, 12).readUInt32BE(8) : 0;
  return [ofFile, ofLog].find((size) => SIZES.includes(size)) ?? likelyPageBytes(path);
}

/** A page that begins there; undefined where the file ends before it does. */
export function readPage(file: number, at: number, size: number): Buffer | undefined {
  const page = Buffer.alloc(size);
  return readSync(file, page, 0, size, at) === size ? page : undefined;
}

/** What the file is shorter than that is zero. */
function beginningOf(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const beginning = Buffer.alloc(bytes);
    readSync(file, beginning, 0, bytes, 0);
    return beginning;
  } finally {
    closeSync(file);
  }
}

/** If a page is read with the wrong size, its end is missing, or three of four pages are never read. */
function likelyPageBytes(path: string): number {
  const file = openSync(path, 'r');
  try {
    const { size: bytes } = fstatSync(file);
    const sound = (size: number) => {
      const read = (number: number) => readPage(file, (number - 1) * size, size);
      let count = 0;
      for (let number = 2; number <= bytes / size; number++) {
        const page = treePage(read, number);
        if (page !== undefined && page.cells.length > 0 && page.badCells === 0) count++;
      }
      return count;
    };
    const counts = SIZES.map((size) => ({ size, count: sound(size) }));
    return counts.reduce((best, other) => (other.count > best.count ? other : best)).size;
  } finally {
    closeSync(file);
  }
}
