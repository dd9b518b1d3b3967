import { parseBuffer } from 'bplist-parser';
import { z } from 'zod';
import { type DecodedBody, decodeAttributedBody } from './attributedBody.js';
import { APPLE_EPOCH_MS } from './schema.js';

/** What Messages keeps about the changes of a message. Part numbers are those of `__kIMMessagePartAttributeName`. */
export interface MessageSummary {
  /** The parts that the message was written with; empty where that is not noted. */
  readonly original: ReadonlySet<number>;
  /** The parts that its sender took back. */
  readonly retracted: ReadonlySet<number>;
  /** The versions of each part that was edited, as archived, oldest first; the first of them is what was written at first. */
  readonly versions: ReadonlyMap<number, readonly Buffer[]>;
  /** When a part was last edited (Unix ms); null: never, or it is not noted. */
  readonly editedAt: number | null;
}

/** Nothing was changed. */
export const UNCHANGED: MessageSummary = {
  original: new Set(),
  retracted: new Set(),
  versions: new Map(),
  editedAt: null,
};

/** Parts of one message: macOS 27 libraries have up to 20. */
const MOST_PARTS = 1000;

const partNumber = z.number().int().min(0).max(MOST_PARTS);
/** A part as the key of a dictionary. */
const partKey = z
  .string()
  .regex(/^\d{1,4}$/)
  .transform(Number)
  .pipe(partNumber);
const version = z.object({ d: z.number().finite().catch(0), t: z.instanceof(Buffer) });
/** A list of which what is not understood is left out, so that one odd entry does not hide the others. */
const lenient = <T>(entry: z.ZodType<T>) =>
  z.array(z.unknown()).transform((all) =>
    all.flatMap((one) => {
      const parsed = entry.safeParse(one);
      return parsed.success ? [parsed.data] : [];
    }),
  );
const dictionary = z.record(z.string(), z.unknown());
const summary = z.object({
  otr: dictionary.optional().catch(undefined),
  rp: lenient(partNumber).optional().catch(undefined),
  ec: dictionary.optional().catch(undefined),
});

/**
 * Reads `message.message_summary_info`, a binary property list. Of its keys (imessage-exporter, BlueBubbles): `otr`, the ranges
 * of the original text by part; `rp`, the parts taken back; `ec`, for each edited part its versions as `{d, t}`, `d` in
 * seconds since 2001 and `t` a typedstream. What is absent, damaged or none of these changes nothing. Never throws.
 */
export function readMessageSummary(blob: Buffer | null): MessageSummary {
  if (blob === null) return UNCHANGED;
  const parsed = summary.safeParse(readBinaryPlist(blob));
  if (!parsed.success) return UNCHANGED;
  const { otr = {}, rp = [], ec = {} } = parsed.data;
  const versions = new Map<number, Buffer[]>();
  let last = 0;
  for (const [key, history] of Object.entries(ec)) {
    const part = partKey.safeParse(key);
    const all = lenient(version).safeParse(history);
    if (!part.success || !all.success || all.data.length === 0) continue;
    const inOrder = [...all.data].sort((a, b) => a.d - b.d);
    versions.set(
      part.data,
      inOrder.map(({ t }) => t),
    );
    // The first version is what was written, with the time of the message.
    for (const { d } of inOrder.slice(1)) last = Math.max(last, d);
  }
  const original = Object.keys(otr).flatMap((key) => {
    const part = partKey.safeParse(key);
    return part.success ? [part.data] : [];
  });
  return {
    original: new Set(original),
    retracted: new Set(rp),
    versions,
    editedAt: last > 0 ? Math.round(last * 1000) + APPLE_EPOCH_MS : null,
  };
}

/**
 * The body of a message by its history of edits alone, for one whose own body cannot be read; null unless each part that is
 * left has a version that can be read.
 */
export function bodyFromHistory({ original, retracted, versions }: MessageSummary): DecodedBody | null {
  const parts = [...(original.size > 0 ? original : versions.keys())]
    .filter((part) => !retracted.has(part))
    .sort((a, b) => a - b);
  let text = '';
  const runs: DecodedBody['runs'][number][] = [];
  for (const part of parts) {
    const newest = versions.get(part)?.at(-1);
    const body = newest === undefined ? null : decodeAttributedBody(newest);
    if (body === null || body.fallback || body.text === null) return null;
    const from = text.length;
    text += body.text;
    for (const run of body.runs)
      runs.push({ ...run, start: from + run.start, attributes: { ...run.attributes, messagePart: part } });
  }
  return parts.length === 0 ? null : { text, runs, fallback: false };
}

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
