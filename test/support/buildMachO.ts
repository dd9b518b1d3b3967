/** What a program is to say of itself; what is left out is as Node's own build for Apple silicon has it. */
export interface MachOParts {
  cpu?: number;
  /** LC_BUILD_VERSION, or the older LC_VERSION_MIN_MACOSX; null: neither. */
  minimum?: { macOs: readonly [number, number, number]; isOldForm?: boolean } | null;
  libraries?: readonly string[];
  /** Null: not signed. */
  signature?: SignatureParts | null;
}

export interface SignatureParts {
  identifier?: string;
  team?: string | null;
  flags?: number;
  entitlements?: readonly string[];
  /** Whether a certificate vouches for it. */
  hasCertificate?: boolean;
}

export const CPU = { x64: 0x01000007, arm64: 0x0100000c, ppc: 18 };
export const FLAGS = { adHoc: 0x2, hardened: 0x10000, linkerSigned: 0x20000 };
export const SYSTEM_LIBRARIES = [
  '/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation',
  '/usr/lib/libc++.1.dylib',
  '/usr/lib/libSystem.B.dylib',
];
/** As Node is signed by its makers. */
export const NODEJS_ORG: SignatureParts = {
  identifier: 'node',
  team: 'HX7739G8FX',
  flags: FLAGS.hardened,
  entitlements: ['com.apple.security.cs.allow-jit', 'com.apple.security.get-task-allow'],
  hasCertificate: true,
};

/** A Mach-O file that cannot run, but can be parsed: headers, and a signature. By <mach-o/loader.h>. */
export function thinMachO(parts: MachOParts = {}): Buffer {
  const { cpu = CPU.arm64, libraries = SYSTEM_LIBRARIES, signature = NODEJS_ORG } = parts;
  const commands = [minimumCommand(parts.minimum), ...libraries.map(dylibCommand)].filter(
    (command) => command !== undefined,
  );
  const signed = signature === null ? undefined : superBlob(signature);
  const bytes = commands.reduce((sum, { length }) => sum + length, 0) + (signed === undefined ? 0 : 16);
  if (signed !== undefined) commands.push(words(0x1d, 16, 32 + bytes, signed.length));
  const header = words(0xfeedfacf, cpu, 0, 2, commands.length, bytes, 0x200085, 0);
  return Buffer.concat([header, ...commands, ...(signed === undefined ? [] : [signed])]);
}

/** A universal file with these programs. By <mach-o/fat.h>. */
export function fatMachO(slices: readonly Buffer[], is64 = false): Buffer {
  const head = 8 + slices.length * (is64 ? 32 : 20);
  let at = head;
  const entries = slices.map((slice) => {
    const [offset, cpu] = [at, slice.length > 8 ? slice.readUInt32LE(4) : 0];
    at += slice.length;
    return is64
      ? bigWords(cpu, 0, 0, offset, 0, slice.length, 0, 0)
      : bigWords(cpu, 0, offset, slice.length, 0);
  });
  return Buffer.concat([bigWords(is64 ? 0xcafebabf : 0xcafebabe, slices.length), ...entries, ...slices]);
}

function minimumCommand(minimum: MachOParts['minimum']): Buffer | undefined {
  if (minimum === null) return undefined;
  const { macOs = [13, 5, 0], isOldForm = false } = minimum ?? {};
  const packed = macOs[0] * 0x10000 + macOs[1] * 0x100 + macOs[2];
  return isOldForm ? words(0x24, 16, packed, packed) : words(0x32, 24, 1, packed, packed, 0);
}

function dylibCommand(name: string): Buffer {
  const text = Buffer.from(`${name}\0`);
  const padded = Math.ceil(text.length / 8) * 8;
  return Buffer.concat([words(0xc, 24 + padded, 24, 2, 0x10000, 0x10000), text], 24 + padded);
}

function superBlob(signature: SignatureParts): Buffer {
  const { entitlements = [], hasCertificate = false } = signature;
  const blobs: [number, Buffer][] = [[0, codeDirectory(signature)]];
  if (entitlements.length > 0) blobs.push([5, blob(0xfade7171, Buffer.from(entitlementsXml(entitlements)))]);
  blobs.push([0x10000, blob(0xfade0b01, Buffer.alloc(hasCertificate ? 64 : 0))]);
  let at = 12 + blobs.length * 8;
  const index = blobs.map(([slot, { length }]) => {
    const entry = bigWords(slot, at);
    at += length;
    return entry;
  });
  return Buffer.concat([
    bigWords(0xfade0cc0, at, blobs.length),
    ...index,
    ...blobs.map(([, bytes]) => bytes),
  ]);
}

function codeDirectory({ identifier = 'node', team = null, flags = FLAGS.adHoc }: SignatureParts): Buffer {
  const names = Buffer.from(`${identifier}\0${team === null ? '' : `${team}\0`}`);
  const teamOffset = team === null ? 0 : 52 + identifier.length + 1;
  const head = bigWords(0x20400, flags, 52 + names.length, 52, 0, 0, 0, 0x20020010, 0, 0, teamOffset);
  return blob(0xfade0c02, Buffer.concat([head, names]));
}

function entitlementsXml(names: readonly string[]): string {
  const keys = names.map((name) => `<key>${name}</key><true/>`).join('\n');
  return `<?xml version="1.0"?><plist version="1.0"><dict>${keys}<key>not.granted</key><false/></dict></plist>`;
}

function blob(magic: number, content: Buffer): Buffer {
  return Buffer.concat([bigWords(magic, content.length + 8), content]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

function bigWords(...values: number[]): Buffer {
  return words(...values).swap32();
}
