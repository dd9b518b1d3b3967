import { type Bytes, Damaged, within } from './fileParts.js';

/** Who vouches for a program, and what macOS lets it do because of that. */
export type CodeSignature =
  | { readonly kind: 'none' }
  | {
      /** `adHoc`: without a certificate; macOS identifies it only by its bytes. */
      readonly kind: 'adHoc' | 'signed';
      readonly identifier: string;
      /** Apple's id of the developer; null of an ad hoc signature and of a certificate that is not from Apple. */
      readonly team: string | null;
      /** Under the hardened runtime macOS refuses everything without an entitlement, without asking. */
      readonly hardened: boolean;
      /** The entitlements that are granted: those whose value is true. */
      readonly entitlements: readonly string[];
    };

const MAGIC = { superBlob: 0xfade0cc0, codeDirectory: 0xfade0c02, entitlements: 0xfade7171, cms: 0xfade0b01 };
const SLOT = { codeDirectory: 0, entitlements: 5, cms: 0x10000 };
const FLAG = { adHoc: 0x2, hardened: 0x10000 };
const MOST_PARTS = 64;
const CODE_DIRECTORY_BYTES = 44;
/** The first version of a CodeDirectory that has the offset of the team, at 48. */
const WITH_TEAM = 0x20200;
const MOST_NAME_BYTES = 1024;
const MOST_ENTITLEMENTS_BYTES = 64 * 1024;
/** What wraps a part: magic and length. */
const HEAD_BYTES = 8;

/**
 * Reads the SuperBlob that LC_CODE_SIGNATURE names. Only `codesign --verify` can check whether it is valid. Throws
 * `Damaged`. The format: <kern/cs_blobs.h> of apple-oss-distributions/xnu.
 */
export function readSignature(bytes: Bytes, size: number): CodeSignature {
  const head = bytes(0, 12);
  const count = head.readUInt32BE(8);
  if (head.readUInt32BE(0) !== MAGIC.superBlob || count > MOST_PARTS)
    throw new Damaged('its signature is of no known form');
  const index = bytes(12, count * 8);
  const parts = new Map<number, Bytes>();
  for (let at = 0; at < index.length; at += 8) {
    const offset = index.readUInt32BE(at + 4);
    parts.set(index.readUInt32BE(at), within(bytes, offset, size - offset));
  }
  const directory = parts.get(SLOT.codeDirectory);
  if (directory === undefined || directory(0, 4).readUInt32BE(0) !== MAGIC.codeDirectory)
    throw new Damaged('its signature names no code');
  const { flags, identifier, team } = readDirectory(directory);
  const isAdHoc = (flags & FLAG.adHoc) !== 0 || !hasContent(parts.get(SLOT.cms));
  return {
    kind: isAdHoc ? 'adHoc' : 'signed',
    identifier,
    team,
    hardened: (flags & FLAG.hardened) !== 0,
    entitlements: readEntitlements(parts.get(SLOT.entitlements)),
  };
}

function readDirectory(bytes: Bytes): { flags: number; identifier: string; team: string | null } {
  const head = bytes(0, CODE_DIRECTORY_BYTES);
  const [length, version] = [head.readUInt32BE(4), head.readUInt32BE(8)];
  const teamOffset = version >= WITH_TEAM ? bytes(48, 4).readUInt32BE(0) : 0;
  return {
    flags: head.readUInt32BE(12),
    identifier: nameAt(bytes, head.readUInt32BE(20), length),
    team: teamOffset === 0 ? null : nameAt(bytes, teamOffset, length),
  };
}

function nameAt(bytes: Bytes, offset: number, end: number): string {
  if (offset >= end) throw new Damaged('a name of its signature is outside of it');
  const text = bytes(offset, Math.min(MOST_NAME_BYTES, end - offset));
  const nul = text.indexOf(0);
  if (nul === -1) throw new Damaged('a name of its signature does not end');
  return text.toString('utf8', 0, nul);
}

/** An ad hoc signature may have the wrapper, with nothing in it. */
function hasContent(cms: Bytes | undefined): boolean {
  if (cms === undefined) return false;
  const head = cms(0, HEAD_BYTES);
  return head.readUInt32BE(0) === MAGIC.cms && head.readUInt32BE(4) > HEAD_BYTES;
}

/** They are a property list in XML. */
function readEntitlements(bytes: Bytes | undefined): string[] {
  if (bytes === undefined) return [];
  const head = bytes(0, HEAD_BYTES);
  const length = head.readUInt32BE(4);
  if (head.readUInt32BE(0) !== MAGIC.entitlements || length < HEAD_BYTES || length > MOST_ENTITLEMENTS_BYTES)
    throw new Damaged('its entitlements are of no known form');
  const xml = bytes(HEAD_BYTES, length - HEAD_BYTES).toString('utf8');
  return [...xml.matchAll(/<key>([^<]*)<\/key>\s*<true\s*\/>/g)].map(([, name = '']) => name);
}
