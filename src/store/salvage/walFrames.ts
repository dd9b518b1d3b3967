import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const INDEX_HEADER_BYTES = 48;
const LITTLE_ENDIAN = 0x377f0682;
const BIG_ENDIAN = 0x377f0683;

/**
 * What a write-ahead log holds, also behind a damaged stretch (sqlite.org/fileformat2.html#walformat). `damaged`: commits
 * were written behind something that cannot be read, so that SQLite, which stops there, would go on with an older state
 * and not say so. A log that was only cut off while its last commit was written is not damaged, nor is one in which
 * commits failed (a full disk): what each wrote is overwritten in part by the next one.
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
  /** Its checksum, which the next one is counted from. */
  sum: Sum;
}

/** Undefined: a frame of an earlier generation of the log, or one whose header cannot be read. */
type Slots = readonly (Frame | undefined)[];

/** Reads the log of the store at `path`, with pages of this size; nothing if there is none. Throws what the file system throws. */
export function walFrames(path: string, pageSize: number): WalFrames {
  const none = { damaged: false, offsets: new Map(), lost: new Set<number>(), isUncertain: false };
  const log = `${path}-wal`;
  if (!existsSync(log)) return none;
  const file = openSync(log, 'r');
  try {
    const { size } = fstatSync(file);
    if (size < HEADER_BYTES + FRAME_HEADER_BYTES + pageSize) return none;
    const { hasHeader, slots } = framesOf(file, size, pageSize);
    const end = hasHeader ? slots.findIndex((frame) => frame?.proof !== 'sound') : 0;
    return judge(slots, end < 0 ? slots.length : end, lastCommitOf(`${path}-shm`, slots));
  } finally {
    closeSync(file);
  }
}

function framesOf(file: number, size: number, pageSize: number): { hasHeader: boolean; slots: Slots } {
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
      sum: stored,
    });
    sum = stored;
  }
  return { hasHeader, slots };
}

/** `end`: the slot at which SQLite stops reading. `lastCommit`: the slot of the newest commit, where that is known for certain, or -1. */
function judge(slots: Slots, end: number, lastCommit: number): WalFrames {
  const result: WalFrames = { damaged: false, offsets: new Map(), lost: new Set(), isUncertain: false };
  const written = Math.max(lastWrittenBehind(slots, end), lastCommit);
  result.damaged = written >= end;
  const until = result.damaged ? written : slots.slice(0, end).findLastIndex((frame) => frame?.isCommit);
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

/**
 * The last commit that was written behind the frame at `end`; -1: none. A transaction is begun only when the one before is on the disk, so
 * a crash cuts off the last one and no other. One that failed may have written all of its frames: the next one begins where it had begun,
 * and what it does not reach stays behind it, from a frame whose checksum does not fit up to the one commit. So each such break
 * has one commit behind it, before the next break; whoever has a second one was written on.
 */
function lastWrittenBehind(slots: Slots, end: number): number {
  let last = -1;
  let commits = 0;
  for (const [index, frame] of slots.entries()) {
    if (index < end) continue;
    // A break that is a commit itself has had its one; nothing of a failed transaction lies behind what is no frame of this log.
    if (frame?.proof !== 'sound') commits = frame?.proof === 'bad' && !frame.isCommit ? 0 : 1;
    else if (frame.isCommit && ++commits > 1) last = index;
  }
  return last;
}

/**
 * The slot of the last commit that the store's index of its log names (sqlite.org/walformat.html, "The WAL-Index Header"), which lies in
 * memory that outlives a killed process; -1 where there is none, or it is not of this very log, as after a power cut.
 */
function lastCommitOf(indexPath: string, slots: Slots): number {
  if (!existsSync(indexPath)) return -1;
  const header = Buffer.alloc(INDEX_HEADER_BYTES);
  const file = openSync(indexPath, 'r');
  try {
    if (readSync(file, header, 0, header.length, 0) < header.length) return -1;
  } finally {
    closeSync(file);
  }
  const isLittle = endianness() === 'LE';
  const word = (at: number) => (isLittle ? header.readUInt32LE(at) : header.readUInt32BE(at));
  const isWhole = isSame(checksum(header.subarray(0, 40), [0, 0], isLittle), [word(40), word(44)]);
  const slot = word(16) - 1;
  const frame = slots[slot];
  return isWhole && frame?.isCommit && isSame(frame.sum, [word(24), word(28)]) ? slot : -1;
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
