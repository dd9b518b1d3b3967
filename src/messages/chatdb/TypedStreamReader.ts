import { classKind, grown, Kind, ObjectTable } from './ObjectTable.js';
import { DamagedStream, StreamBytes } from './StreamBytes.js';

/** Format version 4, little endian (every Mac since 2006); the system version follows. */
const HEADER = Buffer.from('\x04\x0bstreamtyped', 'latin1');
const FLOATING = 0x83;
const NEW = 0x84;
const NIL = 0x85;
const END = 0x86;
const MAX_DEPTH = 48;
/** The longest type encoding we read; real ones have a handful of characters. Bounds work a byte of input. */
const MAX_TYPES = 128;

/**
 * The grammar of NSArchiver's "typedstream", as one strict pass that allocates nothing: see `ObjectTable`.
 * A reader holds one blob at a time and is used again for the next. Every method throws DamagedStream at the
 * first byte that does not fit. (Grammar: typedstream as read by pytypedstream and crabstep.)
 */
export class TypedStreamReader {
  readonly bytes = new StreamBytes();
  readonly objects = new ObjectTable();
  private depth = 0;

  private readonly strings = new SharedStrings(this.bytes);

  /** Starts on a blob: reads its header, up to the first group. */
  open(blob: Buffer): void {
    this.bytes.start(blob);
    this.objects.clear();
    this.strings.clear();
    this.depth = 0;
    if (blob.length < HEADER.length || !this.bytes.same(0, HEADER))
      throw new DamagedStream('not a typedstream');
    this.bytes.at = HEADER.length;
    this.bytes.signed();
  }

  /** Reads the types of a group, which must be exactly these. */
  expectTypes(types: Buffer): void {
    const index = this.strings.read();
    const from = this.strings.from(index);
    if (index < 0 || this.strings.length(index) !== types.length || !this.bytes.same(from, types)) {
      throw new DamagedStream('another group than expected');
    }
  }

  /** Takes the start of a new object with its class; the caller reads its groups up to `takeEnd`. */
  beginObject(): number {
    if (this.bytes.byte() !== NEW) throw new DamagedStream('no object where one belongs');
    const slot = this.objects.add();
    this.classInto(slot);
    return slot;
  }

  /** If the next byte ends an object, takes it. */
  takeEnd(): boolean {
    if (this.bytes.peek() !== END) return false;
    this.bytes.at++;
    return true;
  }

  /** Reads a whole object; its slot, or -1 for nil. */
  object(): number {
    const tag = this.bytes.byte();
    if (tag === NIL) return -1;
    if (tag !== NEW) {
      const slot = this.bytes.reference(tag, this.objects.count);
      if (this.objects.isClass(slot)) throw new DamagedStream('a class where an object belongs');
      return slot;
    }
    const slot = this.objects.add();
    this.enter();
    this.classInto(slot);
    while (!this.takeEnd()) this.group(slot);
    this.depth--;
    return slot;
  }

  /** Reads a group, noting what it holds for `owner` (-1: for nobody). */
  group(owner: number): void {
    const index = this.strings.read();
    const length = this.strings.length(index);
    if (index < 0 || length === 0 || length > MAX_TYPES)
      throw new DamagedStream('a group without usable types');
    let type = this.strings.from(index);
    const end = type + length;
    while (type < end) type = this.value(type, end, owner);
  }

  /** Reads a value of the type encoded at `type`; returns where the next type begins. */
  private value(type: number, typesEnd: number, owner: number): number {
    const { bytes, objects } = this;
    switch (bytes.blob[type]) {
      case 0x40: // @ object
        objects.hold(owner, this.object());
        return type + 1;
      case 0x2b: {
        // + bytes
        const length = bytes.unsigned();
        objects.noteBytes(owner, bytes.take(length), length);
        return type + 1;
      }
      case 0x69: // i, l, q, s
      case 0x6c:
      case 0x71:
      case 0x73:
        objects.noteNumber(owner, bytes.signed());
        return type + 1;
      case 0x49: // I, L, Q, S
      case 0x4c:
      case 0x51:
      case 0x53:
        objects.noteNumber(owner, bytes.unsigned());
        return type + 1;
      case 0x63: // c: one byte, never escaped
        objects.noteNumber(owner, (bytes.byte() << 24) >> 24);
        return type + 1;
      case 0x43: // C, B
      case 0x42:
        objects.noteNumber(owner, bytes.byte());
        return type + 1;
      case 0x66: // f
        objects.noteNumber(owner, this.floating(4));
        return type + 1;
      case 0x64: // d
        objects.noteNumber(owner, this.floating(8));
        return type + 1;
      case 0x2a: // * C string
        this.cString();
        return type + 1;
      case 0x25: // % atom, : selector
      case 0x3a:
        this.strings.read();
        return type + 1;
      case 0x23: // # class
        this.cls();
        return type + 1;
      case 0x5b:
        return this.array(type + 1, typesEnd, owner);
      case 0x7b:
        return this.struct(type + 1, typesEnd, owner);
      default:
        throw new DamagedStream('an unknown type');
    }
  }

  /** `[<n>T]`: bytes are stored as they are, anything else value by value. */
  private array(type: number, typesEnd: number, owner: number): number {
    const { bytes } = this;
    let count = 0;
    let at = type;
    for (; at < typesEnd && isDigit(bytes.blob[at]); at++)
      count = count * 10 + ((bytes.blob[at] ?? 0) - 0x30);
    const element = bytes.blob[at];
    if (at === type || at >= typesEnd || count > bytes.length)
      throw new DamagedStream('an array of no usable size');
    let after = at + 1;
    if (element === 0x63 || element === 0x43) {
      this.objects.noteBytes(owner, bytes.take(count), count);
    } else {
      this.enter();
      if (count === 0) throw new DamagedStream('an array of no usable size');
      for (let i = 0; i < count; i++) {
        const before = bytes.at;
        after = this.value(at, typesEnd, owner);
        if (bytes.at === before) throw new DamagedStream('an array of nothing');
      }
      this.depth--;
    }
    if (after >= typesEnd || bytes.blob[after] !== 0x5d)
      throw new DamagedStream('an array type without an end');
    return after + 1;
  }

  /** `{name=TT…}` or `{TT…}`. */
  private struct(type: number, typesEnd: number, owner: number): number {
    const { blob } = this.bytes;
    let at = type;
    for (let probe = type; probe < typesEnd && blob[probe] !== 0x7d && blob[probe] !== 0x7b; probe++) {
      if (blob[probe] === 0x3d) at = probe + 1;
    }
    this.enter();
    while (at < typesEnd && blob[at] !== 0x7d) at = this.value(at, typesEnd, owner);
    this.depth--;
    if (at >= typesEnd) throw new DamagedStream('a struct type without an end');
    return at + 1;
  }

  private floating(size: 4 | 8): number {
    const { bytes } = this;
    if (bytes.peek() !== FLOATING) return bytes.signed();
    bytes.at++;
    const from = bytes.take(size);
    return size === 4 ? bytes.blob.readFloatLE(from) : bytes.blob.readDoubleLE(from);
  }

  private cString(): void {
    const tag = this.bytes.byte();
    if (tag === NIL) return;
    if (tag !== NEW) {
      this.bytes.reference(tag, this.objects.count);
      return;
    }
    this.objects.add();
    if (this.strings.read() < 0) throw new DamagedStream('a C string without its string');
  }

  private classInto(slot: number): void {
    const cls = this.cls();
    if (cls < 0) throw new DamagedStream('an object without a class');
    this.objects.setKind(slot, this.objects.kind(cls));
  }

  /** Reads a class with its superclasses; its slot, or -1 where the chain ends. */
  private cls(): number {
    const tag = this.bytes.byte();
    if (tag === NIL) return -1;
    if (tag !== NEW) {
      const slot = this.bytes.reference(tag, this.objects.count);
      if (!this.objects.isClass(slot)) throw new DamagedStream('an object where a class belongs');
      return slot;
    }
    const name = this.strings.read();
    if (name < 0) throw new DamagedStream('a class without a name');
    this.bytes.signed();
    const slot = this.objects.add();
    this.objects.setClass(slot, Kind.other);
    this.enter();
    const superclass = this.cls();
    this.depth--;
    const own = classKind(this.bytes, this.strings.from(name), this.strings.length(name));
    this.objects.setKind(slot, own === Kind.other ? this.objects.kind(superclass) : own);
    return slot;
  }

  private enter(): void {
    if (++this.depth > MAX_DEPTH) throw new DamagedStream('nested too deeply');
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/**
 * The strings that a typedstream writes once and then names by number: type encodings and class names, counted
 * apart from the objects. Kept as offsets into the blob.
 */
class SharedStrings {
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
