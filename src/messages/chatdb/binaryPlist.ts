import { parseBuffer } from 'bplist-parser';

/** Larger property lists are not read: the history of a text of 20 000 characters, edited five times, is far below it. */
export const MAX_PLIST_BYTES = 2 * 1024 * 1024;
/** Nesting that Messages comes nowhere near; an archive of NSKeyedArchiver is flat. */
const MAX_DEPTH = 16;
/** Objects after every shared reference is expanded, and bytes of strings among them. */
const MAX_EXPANDED = 1 << 18;
/** Twenty parts, each edited ten times, are some 1 500; each object is looked at several times in a look at chat.db. */
const MAX_OBJECTS = 1 << 12;

const HEADER = 'bplist00';
const TRAILER_BYTES = 32;

/**
 * The value of a binary property list: dictionaries as objects, data as Buffer (a view of `blob`), dates as Date, integers as
 * number or bigint. Undefined for whatever is damaged, larger than MAX_PLIST_BYTES, cyclic, or grows without measure when its
 * shared references are expanded. Never throws; work and memory are bounded by the constants above. What is in it is as
 * untrusted as before: parse it by a schema, and read own properties only.
 */
export function readBinaryPlist(blob: Buffer): unknown {
  try {
    if (!isBounded(blob)) return undefined;
    const [value] = parseBuffer<unknown>(blob);
    return value;
  } catch {
    // The parser reports damage by whatever error it runs into.
    return undefined;
  }
}

/** The layout that the trailer declares, checked against the size of the blob. */
interface Layout {
  blob: Buffer;
  /** Where the objects end and the table of their offsets starts. */
  tableAt: number;
  offsetSize: number;
  refSize: number;
  objects: number;
}

/**
 * The parser expands shared references, follows cycles until the stack ends, and takes declared lengths for true. So what is
 * reachable from the root is measured first, each object once.
 */
function isBounded(blob: Buffer): boolean {
  if (blob.length < HEADER.length + TRAILER_BYTES || blob.length > MAX_PLIST_BYTES) return false;
  if (blob.toString('latin1', 0, HEADER.length) !== HEADER) return false;
  const trailer = blob.subarray(blob.length - TRAILER_BYTES);
  const [offsetSize, refSize] = [trailer.readUInt8(6), trailer.readUInt8(7)];
  const [objects, root, tableAt] = [8, 16, 24].map((at) => Number(trailer.readBigUInt64BE(at)));
  if (objects === undefined || root === undefined || tableAt === undefined) return false;
  if (offsetSize < 1 || offsetSize > 6 || refSize < 1 || refSize > 4) return false;
  if (objects < 1 || objects > MAX_OBJECTS || root >= objects) return false;
  if (tableAt < HEADER.length || tableAt + objects * offsetSize > blob.length - TRAILER_BYTES) return false;
  const expanded = expandedSize({ blob, tableAt, offsetSize, refSize, objects }, root, [], new Map());
  return expanded !== null && expanded <= MAX_EXPANDED;
}

/** What an object costs when it is expanded; null: damaged, cyclic or beyond the bounds. `path` are the objects around it. */
function expandedSize(
  layout: Layout,
  object: number,
  path: readonly number[],
  known: Map<number, number>,
): number | null {
  const before = known.get(object);
  if (before !== undefined) return before;
  if (object >= layout.objects || path.length >= MAX_DEPTH || path.includes(object)) return null;
  const found = objectAt(layout, object);
  if (found === null) return null;
  let size = 1 + found.bytes;
  for (const child of found.children) {
    const inner = expandedSize(layout, child, [...path, object], known);
    if (inner === null) return null;
    size += inner;
    if (size > MAX_EXPANDED) return null;
  }
  known.set(object, size);
  return size;
}

/** Bytes that are copied for one object, and the objects that it refers to; null for one that is not wholly there. */
function objectAt(layout: Layout, object: number): { bytes: number; children: number[] } | null {
  const { blob, tableAt, offsetSize, refSize } = layout;
  const at = blob.readUIntBE(tableAt + object * offsetSize, offsetSize);
  if (at < HEADER.length || at >= tableAt) return null;
  const marker = blob.readUInt8(at);
  const [kind, info] = [marker >> 4, marker & 0x0f];
  const fits = (bytes: number) => at + 1 + bytes <= tableAt;
  const leaf = (isWhole: boolean, bytes = 0) => (isWhole ? { bytes, children: [] } : null);
  switch (kind) {
    case 0x0:
      return leaf(info === 0 || info === 8 || info === 9);
    case 0x1:
      return leaf(info <= 4 && fits(1 << info));
    case 0x2:
      return leaf((info === 2 || info === 3) && fits(1 << info));
    case 0x3:
      return leaf(info === 3 && fits(8));
    case 0x8:
      return leaf(info < 8 && fits(info + 1));
  }
  const length = lengthAt(blob, at, info);
  if (length === null) return null;
  const ends = (width: number) => length.from + length.count * width <= tableAt;
  switch (kind) {
    case 0x4:
      return leaf(ends(1));
    case 0x5:
      return leaf(ends(1), length.count);
    case 0x6:
      return leaf(ends(2), length.count * 2);
    case 0xa:
    case 0xd: {
      const refs = kind === 0xa ? length.count : length.count * 2;
      if (refs > MAX_EXPANDED || length.from + refs * refSize > tableAt) return null;
      const children = Array.from({ length: refs }, (_, i) =>
        blob.readUIntBE(length.from + i * refSize, refSize),
      );
      return { bytes: 0, children };
    }
    default:
      return null;
  }
}

/** How many entries or characters an object has, and where they start. From 15 on an integer object says it. */
function lengthAt(blob: Buffer, at: number, info: number): { count: number; from: number } | null {
  if (info < 0x0f) return { count: info, from: at + 1 };
  const marker = blob.readUInt8(at + 1);
  const width = 1 << (marker & 0x0f);
  if (marker >> 4 !== 0x1 || width > 4) return null;
  return { count: blob.readUIntBE(at + 2, width), from: at + 2 + width };
}
