import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { describeError } from '../errors.js';
import { type CodeSignature, readSignature } from './codeSignature.js';
import { type Bytes, Damaged, within } from './fileParts.js';

/** One program in a Mach-O file; a universal file has one for each architecture. */
export interface MachOSlice {
  /** As `process.arch` names it, or `cpu-` and its number. */
  readonly architecture: string;
  /** The oldest macOS that starts it, like `13.5`; null if it does not say. */
  readonly minimumMacOs: string | null;
  /** The libraries that it cannot start without, as they are written in it: absolute paths, or `@rpath/…` and the like. */
  readonly libraries: readonly string[];
  readonly signature: CodeSignature;
}

/** What a file is to macOS. */
export type MachO =
  | { readonly kind: 'machO'; readonly slices: readonly MachOSlice[] }
  /** Another kind of file, or a program of a kind that macOS stopped to run: 32 bits, PowerPC. */
  | { readonly kind: 'other' }
  /** It ends too early, or contradicts itself. */
  | { readonly kind: 'damaged'; readonly why: string }
  | { readonly kind: 'unreadable'; readonly why: string };

const FAT = 0xcafebabe;
const FAT_64 = 0xcafebabf;
const THIN_64 = 0xfeedfacf;
const HEADER_BYTES = 32;
/** Node has two dozen commands in 4 kB; this is what is read at most. */
const MOST_COMMAND_BYTES = 1024 * 1024;
const MOST_SLICES = 16;

const ARCHITECTURES: ReadonlyMap<number, string> = new Map([
  [0x01000007, 'x64'],
  [0x0100000c, 'arm64'],
]);

const LC = {
  codeSignature: 0x1d,
  versionMinMacOs: 0x24,
  buildVersion: 0x32,
} as const;

/** LC_LOAD_DYLIB, and how else a library is needed at the start; a weak one may be missing. */
const LOADS_LIBRARY: ReadonlySet<number> = new Set([0xc, 0x8000001f, 0x80000023]);
const MACOS = 1;

/**
 * Reads of a program file what macOS goes by when it starts it. Reads its heads only, at most a few MB whatever the file
 * claims; never throws. The format: <mach-o/loader.h> and <mach-o/fat.h> of apple-oss-distributions/xnu.
 */
export function readMachO(path: string): MachO {
  let file: number | undefined;
  try {
    // A pipe of that name would otherwise be waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    return stats.isFile() ? readFrom(within(bytesOf(file), 0, stats.size), stats.size) : { kind: 'other' };
  } catch (error) {
    if (error instanceof Damaged) return { kind: 'damaged', why: error.message };
    return { kind: 'unreadable', why: describeError(error) };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function bytesOf(file: number): Bytes {
  return (offset, length) => {
    const buffer = Buffer.alloc(length);
    for (let have = 0; have < length; ) {
      const read = readSync(file, buffer, have, length - have, offset + have);
      if (read === 0) throw new Damaged('the file ends too early');
      have += read;
    }
    return buffer;
  };
}

function readFrom(bytes: Bytes, size: number): MachO {
  if (size < HEADER_BYTES) return { kind: 'other' };
  const head = bytes(0, 8);
  const magic = head.readUInt32BE(0);
  if (magic === FAT || magic === FAT_64) {
    const count = head.readUInt32BE(4);
    // The same four bytes begin a class file of Java, where a version of 45 and more follows.
    if (count === 0 || count > MOST_SLICES) return { kind: 'other' };
    return { kind: 'machO', slices: fatSlices(bytes, size, { count, is64: magic === FAT_64 }) };
  }
  if (head.readUInt32LE(0) !== THIN_64) return { kind: 'other' };
  return { kind: 'machO', slices: [readSlice(bytes, size)] };
}

function fatSlices(
  bytes: Bytes,
  size: number,
  { count, is64 }: { count: number; is64: boolean },
): MachOSlice[] {
  const entryBytes = is64 ? 32 : 20;
  const table = bytes(8, count * entryBytes);
  return Array.from({ length: count }, (_, index) => {
    const entry = table.subarray(index * entryBytes);
    const [offset, length] = is64
      ? [Number(entry.readBigUInt64BE(8)), Number(entry.readBigUInt64BE(16))]
      : [entry.readUInt32BE(8), entry.readUInt32BE(12)];
    if (offset + length > size || length < HEADER_BYTES)
      throw new Damaged('a part of it lies behind its end');
    const inside = within(bytes, offset, length);
    // Of 32 bits, or for another processor: it is there, and nothing of it concerns us.
    if (inside(0, 4).readUInt32LE(0) !== THIN_64) return nameless(entry.readUInt32BE(0));
    return readSlice(inside, length);
  });
}

function nameless(cpu: number): MachOSlice {
  return { architecture: architecture(cpu), minimumMacOs: null, libraries: [], signature: { kind: 'none' } };
}

function architecture(cpu: number): string {
  return ARCHITECTURES.get(cpu) ?? `cpu-${cpu}`;
}

function readSlice(bytes: Bytes, size: number): MachOSlice {
  const header = bytes(0, HEADER_BYTES);
  const [count, commandBytes] = [header.readUInt32LE(16), header.readUInt32LE(20)];
  if (commandBytes > MOST_COMMAND_BYTES) throw new Damaged('its load commands are too long');
  const commands = bytes(HEADER_BYTES, commandBytes);
  const libraries: string[] = [];
  let minimumMacOs: string | null = null;
  let signature: CodeSignature = { kind: 'none' };
  for (const command of eachCommand(commands, count)) {
    const kind = command.readUInt32LE(0);
    if (LOADS_LIBRARY.has(kind)) libraries.push(stringIn(command, word(command, 8)));
    else if (kind === LC.buildVersion && word(command, 8) === MACOS)
      minimumMacOs = version(word(command, 12));
    else if (kind === LC.versionMinMacOs) minimumMacOs ??= version(word(command, 8));
    else if (kind === LC.codeSignature) {
      const [offset, length] = [word(command, 8), word(command, 12)];
      if (offset + length > size) throw new Damaged('its signature lies behind its end');
      signature = readSignature(within(bytes, offset, length), length);
    }
  }
  return { architecture: architecture(header.readUInt32LE(4)), minimumMacOs, libraries, signature };
}

function* eachCommand(commands: Buffer, count: number): Generator<Buffer> {
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + 8 > commands.length) throw new Damaged('it has fewer load commands than it says');
    const length = commands.readUInt32LE(at + 4);
    if (length < 8 || at + length > commands.length)
      throw new Damaged('a load command has an impossible length');
    yield commands.subarray(at, at + length);
    at += length;
  }
}

function word(command: Buffer, offset: number): number {
  if (offset + 4 > command.length) throw new Damaged('a load command is too short');
  return command.readUInt32LE(offset);
}

/** Up to its NUL or the end of what holds it. */
function stringIn(command: Buffer, offset: number): string {
  if (offset >= command.length) throw new Damaged('a name lies outside its load command');
  const end = command.indexOf(0, offset);
  return command.toString('utf8', offset, end === -1 ? command.length : end);
}

/** Two bytes, a byte, a byte; the last one is left out where it is 0. */
function version(packed: number): string {
  const [major, minor, patch] = [packed >>> 16, (packed >>> 8) & 0xff, packed & 0xff];
  return patch === 0 ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}
