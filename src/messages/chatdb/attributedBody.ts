import { beforeBinary } from './plainWords.js';
import type { TextRun } from './textRuns.js';
import { parseTypedStream } from './typedstream.js';

/** `text` is null where nothing could be read. `fallback`: the blob was damaged and `text` is what could be saved. */
export interface DecodedBody {
  text: string | null;
  runs: readonly TextRun[];
  fallback: boolean;
}

const NO_RUNS: readonly TextRun[] = [];
const STRING_CLASSES = ['NSMutableString', 'NSString'] as const;
/** The type "+" in full, which the bytes of the text follow. */
const BYTES_TYPE = Buffer.from([0x84, 0x01, 0x2b]);
/** How far behind the class name that type may stand: class versions, a superclass, an end of chain. */
const ANCHOR_REACH = 24;

/**
 * The text and runs of `message.attributedBody`; never throws. A blob that the strict parser refuses is scanned
 * for its first string's text, clamped to what is there. A Uint8Array that is no Buffer is viewed, not copied.
 */
export function decodeAttributedBody(blob: Uint8Array): DecodedBody {
  const bytes = Buffer.isBuffer(blob) ? blob : Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const parsed = parseTypedStream(bytes);
  if (parsed.kind === 'text') return { text: parsed.text, runs: parsed.runs, fallback: false };
  const saved = anchoredText(bytes);
  return { text: saved === null ? null : beforeBinary(saved), runs: NO_RUNS, fallback: true };
}

/** The text behind `NSString … 84 01 2B <length>`, by its declared length and not by what follows it. */
function anchoredText(bytes: Buffer): string | null {
  for (const name of STRING_CLASSES) {
    const anchor = bytes.indexOf(name, 0, 'latin1');
    if (anchor < 0) continue;
    const type = bytes.indexOf(BYTES_TYPE, anchor + name.length);
    if (type < 0 || type > anchor + name.length + ANCHOR_REACH) continue;
    const text = lengthPrefixed(bytes, type + BYTES_TYPE.length);
    if (text !== null) return text;
  }
  return null;
}

function lengthPrefixed(bytes: Buffer, at: number): string | null {
  const tag = bytes[at];
  if (tag === undefined) return null;
  if (tag === 0x81) {
    if (at + 3 > bytes.length) return null;
    return clamped(bytes, at + 3, bytes.readUInt16LE(at + 1));
  }
  if (tag === 0x82) {
    if (at + 5 > bytes.length) return null;
    return clamped(bytes, at + 5, bytes.readUInt32LE(at + 1));
  }
  return tag >= 0x83 && tag <= 0x91 ? null : clamped(bytes, at + 1, tag);
}

/** At most `length` bytes as text, less a character that the end of the blob cut in two. */
function clamped(bytes: Buffer, from: number, length: number): string {
  const whole = from + length <= bytes.length;
  const text = bytes.toString('utf8', from, Math.min(from + length, bytes.length));
  return whole ? text : text.replace(/\ufffd$/, '');
}
