/** Why a blob cannot be read; thrown inside, caught at the door of `typedstream.ts`. No stack: they come in bursts. */
export class DamagedStream {
  constructor(readonly reason: string) {}
}

const INT16 = 0x81;
const INT32 = 0x82;
/** Bytes 0x81…0x91 are tags; a number with such a value is escaped. */
const FIRST_TAG = 0x81;
const LAST_TAG = 0x91;
const NOTHING = Buffer.alloc(0);

/** A blob and a place in it. Every read is checked against the end and throws DamagedStream beyond it. */
export class StreamBytes {
  blob: Buffer = NOTHING;
  at = 0;
  private end = 0;

  start(blob: Buffer): void {
    this.blob = blob;
    this.end = blob.length;
    this.at = 0;
  }

  /** Lets go of the blob, which may be large. */
  release(): void {
    this.start(NOTHING);
  }

  get length(): number {
    return this.end;
  }

  get atEnd(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new DamagedStream('cut short');
    return this.blob[this.at++] ?? 0;
  }

  peek(): number {
    if (this.at >= this.end) throw new DamagedStream('cut short');
    return this.blob[this.at] ?? 0;
  }

  /** Passes over `length` bytes; returns where they begin. */
  take(length: number): number {
    const from = this.at;
    if (length > this.end - from) throw new DamagedStream('cut short');
    this.at = from + length;
    return from;
  }

  /** A signed int: one byte, or an escape and two or four. */
  signed(): number {
    const tag = this.byte();
    if (tag < FIRST_TAG || tag > LAST_TAG) return (tag << 24) >> 24;
    if (tag === INT16) return this.blob.readInt16LE(this.take(2));
    if (tag === INT32) return this.blob.readInt32LE(this.take(4));
    throw new DamagedStream('a tag where a number belongs');
  }

  /** An unsigned int or a length: 0x81 followed by 0xFFxx is 65 thousand, not a negative number. */
  unsigned(): number {
    const tag = this.byte();
    if (tag < FIRST_TAG || tag > LAST_TAG) return tag;
    if (tag === INT16) return this.blob.readUInt16LE(this.take(2));
    if (tag === INT32) return this.blob.readUInt32LE(this.take(4));
    throw new DamagedStream('a tag where a length belongs');
  }

  /** The index that a reference tag, just read, stands for among `count` entries. */
  reference(tag: number, count: number): number {
    let value = (tag << 24) >> 24;
    if (tag === INT16) value = this.blob.readInt16LE(this.take(2));
    else if (tag === INT32) value = this.blob.readInt32LE(this.take(4));
    else if (tag >= FIRST_TAG && tag <= LAST_TAG) throw new DamagedStream('a tag where a reference belongs');
    const index = value + 110;
    if (index < 0 || index >= count) throw new DamagedStream('a reference to nothing');
    return index;
  }

  /** Whether the bytes at `from` are this word. The caller knows that they are within the blob. */
  same(from: number, word: Buffer): boolean {
    for (let i = 0; i < word.length; i++) if (this.blob[from + i] !== word[i]) return false;
    return true;
  }
}
