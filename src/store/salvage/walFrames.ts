import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const LITTLE_ENDIAN = 0x377f0682;
const BIG_ENDIAN = 0x377f0683;

/**
 * What a write-ahead log holds, also behind a damaged stretch (sqlite.org/fileformat2.html#walformat). `damaged`: commits
 * were written behind something that cannot be read, so that SQLite, which stops there, would go on with an older state
 * and not say so. A log that was only cut off while its last commit was written is not damaged.
 */
export interface WalFrames {
  damaged: boolean;
  /** Where in the file the newest image of each page lies. */
  offsets: Map<number, number>;
  /** Pages of which a newer image than any that can be read was there. */
  lost: Set<number>;
  /** It cannot be told which pages were changed by what is damaged. */
  isUncertain: boolean;
}

interface Frame {
  page: number;
  isCommit: boolean;
  at: number;
  /** sound: its checksum fits. unproven: what it is counted from is lost. bad: its checksum does not fit. */
  proof: 'sound' | 'unproven' | 'bad';
}

/** Reads the log at `path`, of a store with pages of this size; nothing if there is none. Throws what the file system throws. */
export function walFrames(path: string, pageSize: number): WalFrames {
  const none = { damaged: false, offsets: new Map(), lost: new Set<number>(), isUncertain: false };
  if (!existsSync(path)) return none;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size < HEADER_BYTES + FRAME_HEADER_BYTES + pageSize) return none;
    return judge(framesOf(file, size, pageSize));
  } finally {
    closeSync(file);
  }
}

function framesOf(
  file: number,
  size: number,
  pageSize: number,
): { hasHeader: boolean; slots: (Frame | undefined)[] } {
  const header = Buffer.alloc(HEADER_BYTES);
  readSync(file, header, 0, HEADER_BYTES, 0);
  const magic = header.readUInt32BE(0);
  const littleEndian = magic !== BIG_ENDIAN;
  let sum: Sum | undefined = checksum(header.subarray(0, 24), [0, 0], littleEndian);
  const hasHeader =
    (magic === LITTLE_ENDIAN || magic === BIG_ENDIAN) &&
    header.readUInt32BE(8) === pageSize &&
    isSame(sum, [header.readUInt32BE(24), header.readUInt32BE(28)]);
  // Without the header, the first frame says which generation of the log this is.
  let salts = hasHeader ? header.subarray(16, 24) : undefined;
  if (!hasHeader) sum = undefined;
  const slots: (Frame | undefined)[] = [];
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageSize);
  for (let at = HEADER_BYTES; at + frame.length <= size; at += frame.length) {
    readSync(file, frame, 0, frame.length, at);
    salts ??= Buffer.from(frame.subarray(8, 16));
    if (!frame.subarray(8, 16).equals(salts)) {
      slots.push(undefined);
      sum = undefined;
      continue;
    }
    const stored: Sum = [frame.readUInt32BE(16), frame.readUInt32BE(20)];
    const proof =
      sum === undefined ? 'unproven' : isSame(sumOf(frame, sum, littleEndian), stored) ? 'sound' : 'bad';
    slots.push({
      page: frame.readUInt32BE(0),
      isCommit: frame.readUInt32BE(4) !== 0,
      at: at + FRAME_HEADER_BYTES,
      proof,
    });
    sum = stored;
  }
  return { hasHeader, slots };
}

function judge({ hasHeader, slots }: ReturnType<typeof framesOf>): WalFrames {
  const last = slots.findLastIndex((frame) => frame?.proof === 'sound' && frame.isCommit);
  const result: WalFrames = { damaged: false, offsets: new Map(), lost: new Set(), isUncertain: false };
  const firstBad = hasHeader ? slots.findIndex((frame) => frame?.proof !== 'sound') : 0;
  // A transaction is only begun when the one before is on the disk: a crash cuts off the last one and no other. Frames of
  // one that was cut off may stay behind, with one commit at most.
  const commitsBehind =
    firstBad < 0
      ? 0
      : slots.slice(firstBad).filter((frame) => frame?.proof === 'sound' && frame.isCommit).length;
  const needed = hasHeader && slots[firstBad]?.isCommit === false ? 2 : 1;
  result.damaged = commitsBehind >= needed;
  const until = result.damaged
    ? last
    : slots.slice(0, firstBad < 0 ? undefined : firstBad).findLastIndex((frame) => frame?.isCommit);
  for (const frame of slots.slice(0, until + 1)) {
    if (frame === undefined) result.isUncertain = true;
    else if (frame.proof === 'bad') {
      result.offsets.delete(frame.page);
      result.lost.add(frame.page);
    } else {
      result.offsets.set(frame.page, frame.at);
      result.lost.delete(frame.page);
    }
  }
  return result;
}

type Sum = readonly [number, number];

function isSame(a: Sum, b: Sum): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** The checksum of a frame covers the first 8 bytes of its header and the page, counted on from the frame before. */
function sumOf(frame: Buffer, before: Sum, littleEndian: boolean): Sum {
  const ofHeader = checksum(frame.subarray(0, 8), before, littleEndian);
  return checksum(frame.subarray(FRAME_HEADER_BYTES), ofHeader, littleEndian);
}

/** Several megabytes are summed up at the start after a kill: words are read as the machine has them, and swapped if they differ. */
function checksum(bytes: Uint8Array, [first, second]: Sum, littleEndian: boolean): Sum {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (littleEndian !== (endianness() === 'LE')) {
    const swapped = Buffer.from(bytes).swap32();
    return checksum(Uint8Array.from(swapped), [first, second], !littleEndian);
  }
  let a = first | 0;
  let b = second | 0;
  for (let at = 0; at < words.length; at += 2) {
    a = (a + (words[at] ?? 0) + b) | 0;
    b = (b + (words[at + 1] ?? 0) + a) | 0;
  }
  return [a >>> 0, b >>> 0];
}
