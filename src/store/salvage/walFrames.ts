import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const INDEX_HEADER_BYTES = 48;
const LITTLE_ENDIAN = 0x377f0682;
const BIG_ENDIAN = 0x377f0683;

/**
 * The contents of a write-ahead log, also after a damaged section (sqlite.org/fileformat2.html#walformat). `damaged`:
 * commits were written after something that cannot be read, so SQLite, which stops there, would continue with an older
 * state without an error. A log that was only cut off while its last commit was written is not damaged, nor is one in
 * which commits failed (a full disk): what each wrote is overwritten in part by the next one.
 */
export interface WalFrames {
  damaged: boolean;
  /** The position in the file of the newest image of each page. */
  offsets: Map<number, number>;
  /** Pages of which a newer image than any that can be read was there. */
  lost: Set<number>;
  /** It is not known which pages the damaged part changed. */
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

/** A place for a frame. unwritten: empty, or of an earlier generation of the log. unreadable: its header is that of no frame. */
type Slot = Frame | 'unwritten' | 'unreadable';

interface Log {
  /** What identifies the frames of this generation of the log; undefined if its header cannot be read. */
  salts: Buffer | undefined;
  slots: readonly Slot[];
}

/** Reads the log of the store at `path`, with pages of this size; nothing if there is none. Throws what the file system throws. */
export function walFrames(path: string, pageSize: number): WalFrames {
  const none = { damaged: false, offsets: new Map(), lost: new Set<number>(), isUncertain: false };
  const log = `${path}-wal`;
  if (!existsSync(log)) return none;
  // Read first: what an index names was in the log before.
  const index = readIndex(`${path}-shm`);
  const file = openSync(log, 'r');
  try {
    const { size } = fstatSync(file);
    if (size < HEADER_BYTES + FRAME_HEADER_BYTES + pageSize) return none;
    const read = readLog(file, size, pageSize, index);
    return judge(read, lastCommitOf(read, index));
  } finally {
    closeSync(file);
  }
}

function readLog(file: number, size: number, pageSize: number, index: Index | undefined): Log {
  const header = Buffer.alloc(HEADER_BYTES);
  readSync(file, header, 0, HEADER_BYTES, 0);
  const magic = header.readUInt32BE(0);
  const littleEndian = magic !== BIG_ENDIAN;
  let sum: Sum | undefined = checksum(header.subarray(0, 24), [0, 0], littleEndian);
  const hasHeader =
    (magic === LITTLE_ENDIAN || magic === BIG_ENDIAN) &&
    header.readUInt32BE(8) === pageSize &&
    isSame(sum, [header.readUInt32BE(24), header.readUInt32BE(28)]);
  const generations = hasHeader ? header.readUInt32BE(12) : 0;
  // Without the header, the first frame says which generation of the log this is.
  let salts = hasHeader ? header.subarray(16, 24) : undefined;
  if (!hasHeader) sum = undefined;
  const slots: Slot[] = [];
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageSize);
  for (let at = HEADER_BYTES; at + frame.length <= size; at += frame.length) {
    readSync(file, frame, 0, frame.length, at);
    const own = frame.subarray(8, 16);
    salts ??= Buffer.from(own);
    // From here on it is known again what belongs to the commit that the index names.
    if (hasHeader && slots.length === index?.frames && index.salts.equals(salts)) sum = index.sum;
    if (!own.equals(salts)) {
      slots.push(isEarlier(own, salts, generations) ? 'unwritten' : 'unreadable');
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
  return { salts: hasHeader ? salts : undefined, slots };
}

/**
 * Whether a block that was never written to the disk may have left these salts: nothing, or those of one of so many
 * generations before, whose first salt was less by one each. If a frame spans two blocks, one of them may be new.
 */
function isEarlier(salts: Buffer, now: Buffer, generations: number): boolean {
  const first = salts.readUInt32BE(0);
  return first === 0 || (now.readUInt32BE(0) - first) >>> 0 <= generations;
}

/** `lastCommit`: the slot of the newest commit, where that is known for certain, or -1. */
function judge({ salts, slots }: Log, lastCommit: number): WalFrames {
  const result: WalFrames = { damaged: false, offsets: new Map(), lost: new Set(), isUncertain: false };
  const stop = slots.findIndex((slot) => !isFrame(slot) || slot.proof !== 'sound');
  // At which SQLite stops reading.
  const end = salts === undefined ? 0 : stop < 0 ? slots.length : stop;
  const written = Math.max(lastWrittenBehind(slots, end, salts !== undefined), lastCommit);
  result.damaged = written >= end;
  const until = result.damaged
    ? written
    : slots.slice(0, end).findLastIndex((slot) => isFrame(slot) && slot.isCommit);
  if (until >= slots.length) result.isUncertain = true;
  for (const slot of slots.slice(0, until + 1)) {
    if (!isFrame(slot)) result.isUncertain = true;
    else if (slot.proof === 'bad') {
      result.offsets.delete(slot.page);
      result.lost.add(slot.page);
    } else {
      result.offsets.set(slot.page, slot.at);
      result.lost.delete(slot.page);
    }
  }
  return result;
}

function isFrame(slot: Slot | undefined): slot is Frame {
  return typeof slot === 'object';
}

/**
 * The last commit that was written behind the slot at `end`; -1: none. A transaction is begun only when the one before
 * is on the disk, so a power cut costs blocks of the last one and of no other. One that failed may have written all of
 * its frames: the next one begins where it had begun, and the rest remains after it, from a frame whose checksum does
 * not match up to the one commit. So each such break is followed by one commit before the next break; a second commit
 * means that writing continued. Neither leaves unreadable data.
 */
function lastWrittenBehind(slots: readonly Slot[], end: number, hasHeader: boolean): number {
  let last = -1;
  let commits = hasHeader ? 0 : 1;
  for (const [index, slot] of slots.entries()) {
    if (index < end) continue;
    if (!isFrame(slot)) commits = slot === 'unwritten' ? 0 : 1;
    // A break that is a commit itself has had its one.
    else if (slot.proof === 'bad') commits = slot.isCommit ? 1 : 0;
    else if (slot.isCommit && ++commits > 1) last = index;
  }
  return last;
}

/** What the index of a log says of the last commit. */
interface Index {
  /** How many frames the log has up to it; never 0. */
  frames: number;
  salts: Buffer;
  /** The checksum of the last of them. */
  sum: Sum;
}

/**
 * Reads the index of a store's log (sqlite.org/walformat.html, "The WAL-Index Header"), which is in memory that
 * survives a killed process, and is written once the commit is on the disk. Undefined if there is none, or it names no
 * commit.
 */
function readIndex(path: string): Index | undefined {
  if (!existsSync(path)) return undefined;
  const header = Buffer.alloc(INDEX_HEADER_BYTES);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, header, 0, header.length, 0) < header.length) return undefined;
  } finally {
    closeSync(file);
  }
  const isLittle = endianness() === 'LE';
  const word = (at: number) => (isLittle ? header.readUInt32LE(at) : header.readUInt32BE(at));
  const isWhole = isSame(checksum(header.subarray(0, 40), [0, 0], isLittle), [word(40), word(44)]);
  if (!isWhole || word(16) === 0) return undefined;
  return { frames: word(16), salts: header.subarray(32, 40), sum: [word(24), word(28)] };
}

/** The slot of the last commit that the index names; -1 where it is not of this very log, as after a power cut. */
function lastCommitOf({ salts, slots }: Log, index: Index | undefined): number {
  if (index === undefined) return -1;
  const slot = index.frames - 1;
  if (salts !== undefined) return index.salts.equals(salts) ? slot : -1;
  const frame = slots[slot];
  return isFrame(frame) && frame.isCommit && isSame(frame.sum, index.sum) ? slot : -1;
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
