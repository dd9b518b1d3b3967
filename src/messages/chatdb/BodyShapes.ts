import type { RunAttributes, TypedStream } from './textRuns.js';

/** A body with one run: all its bytes but the text, the text's length and the run's length. */
interface Shape {
  beforeText: Buffer;
  afterText: Buffer;
  afterRun: Buffer;
  attributes: RunAttributes;
}

const KEPT = 6;
/** A body whose frame is longer holds something particular that will not come again. */
const LONGEST_FRAME = 1024;

/**
 * Nearly all bodies of one Mac differ in nothing but their text. What the parser made of one is true of every
 * other with the same bytes around the text: its state before and after the text depends on those bytes alone.
 * So a known frame is compared instead of parsed, in a third of the time.
 */
export class BodyShapes {
  private readonly shapes: Shape[] = [];
  private oldest = 0;

  /** What the parser would answer, or null if no frame fits: then ask the parser. */
  read(blob: Buffer): TypedStream | null {
    for (let i = 0; i < this.shapes.length; i++) {
      const shape = this.shapes[i];
      const read = shape === undefined ? null : readAs(shape, blob);
      if (read !== null) return read;
    }
    return null;
  }

  /** Remembers the frame of a blob that was parsed to one run. Offsets are of the text and of the run's length. */
  learn(blob: Buffer, textAt: number, textLength: number, runAt: number, attributes: RunAttributes): void {
    if (blob.length - textLength > LONGEST_FRAME) return;
    const before = textAt - lengthSize(textLength);
    const text = unsignedAt(blob, before);
    const run = unsignedAt(blob, runAt);
    if (text !== textLength || run < 0) return;
    this.shapes[this.oldest] = {
      beforeText: Buffer.from(blob.subarray(0, before)),
      afterText: Buffer.from(blob.subarray(textAt + textLength, runAt)),
      afterRun: Buffer.from(blob.subarray(runAt + lengthSize(run))),
      attributes,
    };
    this.oldest = (this.oldest + 1) % KEPT;
  }
}

function readAs(shape: Shape, blob: Buffer): TypedStream | null {
  const { beforeText, afterText, afterRun } = shape;
  const textLength = unsignedAt(blob, beforeText.length);
  if (textLength < 0) return null;
  const textAt = beforeText.length + lengthSize(textLength);
  const runAt = textAt + textLength + afterText.length;
  const run = unsignedAt(blob, runAt);
  if (run < 0) return null;
  const tailAt = runAt + lengthSize(run);
  if (blob.length !== tailAt + afterRun.length) return null;
  if (!same(blob, tailAt, afterRun) || !same(blob, runAt - afterText.length, afterText)) return null;
  if (!same(blob, 0, beforeText)) return null;
  const text = blob.toString('utf8', textAt, textAt + textLength);
  if (text.length !== run) return null;
  return { kind: 'text', text, runs: [{ start: 0, length: run, attributes: shape.attributes }] };
}

/** An unsigned in its shortest form; -1 if there is none, or in a longer form: then the parser decides. */
function unsignedAt(blob: Buffer, at: number): number {
  const tag = blob[at];
  if (tag === undefined) return -1;
  if (tag <= 0x7f) return tag;
  if (tag === 0x81 && at + 3 <= blob.length) {
    const value = (blob[at + 1] ?? 0) | ((blob[at + 2] ?? 0) << 8);
    return value > 0x7f ? value : -1;
  }
  if (tag === 0x82 && at + 5 <= blob.length) {
    const value = blob.readUInt32LE(at + 1);
    return value > 0xffff ? value : -1;
  }
  return -1;
}

function lengthSize(length: number): number {
  return length <= 0x7f ? 1 : length <= 0xffff ? 3 : 5;
}

function same(blob: Buffer, from: number, bytes: Buffer): boolean {
  for (let i = bytes.length - 1; i >= 0; i--) if (blob[from + i] !== bytes[i]) return false;
  return true;
}
