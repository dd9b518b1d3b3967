import { grown } from './ObjectTable.js';
import type { StreamBytes } from './StreamBytes.js';

const NEW = 0x84;
const NIL = 0x85;

/**
 * The strings that a typedstream writes once and then names by number: type encodings and class names, counted
 * apart from the objects. Kept as offsets into the blob.
 */
export class SharedStrings {
  private count = 0;
  private fromAt = new Int32Array(64);
  private lengthAt = new Int32Array(64);

  constructor(private readonly bytes: StreamBytes) {}

  clear(): void {
    this.count = 0;
  }

  /** Reads one, new or repeated: its number, or -1 for nil. Throws DamagedStream. */
  read(): number {
    const { bytes } = this;
    const tag = bytes.byte();
    if (tag === NIL) return -1;
    if (tag !== NEW) return bytes.reference(tag, this.count);
    const length = bytes.unsigned();
    const from = bytes.take(length);
    const index = this.count++;
    if (index >= this.fromAt.length) {
      this.fromAt = grown(this.fromAt);
      this.lengthAt = grown(this.lengthAt);
    }
    this.fromAt[index] = from;
    this.lengthAt[index] = length;
    return index;
  }

  /** Where the string begins; 0 for nil. */
  from(index: number): number {
    return this.fromAt[index] ?? 0;
  }

  length(index: number): number {
    return this.lengthAt[index] ?? 0;
  }
}
