/** U+FFFC: the place of a file in a text. */
export const ATTACHMENT_MARK = '\ufffc';

type ClassChain = readonly (readonly [name: string, version: number])[];

const OBJECT: ClassChain = [['NSObject', 0]];
const STRING: ClassChain = [['NSString', 1], ...OBJECT];
const ATTRIBUTED: ClassChain = [['NSAttributedString', 0], ...OBJECT];
const DICTIONARY: ClassChain = [['NSDictionary', 0], ...OBJECT];
const NUMBER: ClassChain = [['NSNumber', 0], ['NSValue', 0], ...OBJECT];

/**
 * `transferGuids`: the files of the marks, in order. `immutable`: NSAttributedString as the daemon archives it,
 * else the mutable one that Messages archives (macos-facts B.2 a and b).
 */
export interface EncoderOptions {
  transferGuids?: readonly string[];
  immutable?: boolean;
}

/**
 * A text as Messages archives it in `message.attributedBody`; a text without files is byte for byte what
 * imessage-exporter's fixtures hold. Each mark and each stretch between marks is a message part with a run of its own.
 */
export function encodeAttributedBody(text: string, options: EncoderOptions = {}): Buffer {
  const writer = new TypedStreamWriter();
  const immutable = options.immutable ?? false;
  const string = immutable ? STRING : ([['NSMutableString', 1], ...STRING] as const);
  writer.group('@');
  writer.begin(immutable ? ATTRIBUTED : [['NSMutableAttributedString', 0], ...ATTRIBUTED]);
  writer.group('@');
  writer.string(text, string);
  const guids = [...(options.transferGuids ?? [])];
  parts(text).forEach((part, index) => {
    const guid = part === ATTACHMENT_MARK ? guids.shift() : undefined;
    writer.group('iI');
    writer.signed(index + 1);
    writer.unsigned(part.length);
    writer.group('@');
    writer.begin(DICTIONARY);
    writer.group('i');
    writer.signed(guid === undefined ? 1 : 2);
    if (guid !== undefined) {
      writer.group('@');
      writer.key('__kIMFileTransferGUIDAttributeName');
      writer.group('@');
      writer.string(guid, STRING);
    }
    writer.group('@');
    writer.key('__kIMMessagePartAttributeName');
    writer.group('@');
    writer.number(index);
    writer.end();
  });
  writer.end();
  return writer.finish();
}

function parts(text: string): string[] {
  return text.split(/(\ufffc)/).filter((part) => part !== '');
}

/** Writes the grammar of macos-facts B.1: strings and objects are numbered apart, and repeated by number. */
class TypedStreamWriter {
  private readonly chunks: Buffer[] = [Buffer.from('\x04\x0bstreamtyped\x81\xe8\x03', 'latin1')];
  private readonly strings = new Map<string, number>();
  private readonly objects = new Map<string, number>();
  private slots = 0;

  finish(): Buffer {
    return Buffer.concat(this.chunks);
  }

  group(types: string): void {
    this.sharedString(types);
  }

  begin(chain: ClassChain): void {
    this.bytes(0x84);
    this.slots++;
    this.classes(chain);
  }

  end(): void {
    this.bytes(0x86);
  }

  string(text: string, chain: ClassChain): void {
    this.begin(chain);
    this.group('+');
    const utf8 = Buffer.from(text, 'utf8');
    this.unsigned(utf8.length);
    this.chunks.push(utf8);
    this.end();
  }

  /** A constant string: archived once, then by number. */
  key(name: string): void {
    if (this.repeated(`key ${name}`)) return;
    this.objects.set(`key ${name}`, this.slots);
    this.string(name, STRING);
  }

  number(value: number): void {
    this.begin(NUMBER);
    this.group('*');
    if (!this.repeated('cstring i')) {
      this.bytes(0x84);
      this.objects.set('cstring i', this.slots++);
      this.sharedString('i');
    }
    this.group('i');
    this.signed(value);
    this.end();
  }

  signed(value: number): void {
    if (value >= -110 && value <= 127) this.bytes(value & 0xff);
    else if (value >= -32768 && value <= 32767) this.bytes(0x81, value & 0xff, (value >> 8) & 0xff);
    else this.int32(value >>> 0);
  }

  unsigned(value: number): void {
    if (value <= 0x7f) this.bytes(value);
    else if (value <= 0xffff) this.bytes(0x81, value & 0xff, value >> 8);
    else this.int32(value);
  }

  private classes(chain: ClassChain): void {
    const [first, ...rest] = chain;
    if (first === undefined) {
      this.bytes(0x85);
      return;
    }
    const [name, version] = first;
    if (this.repeated(`class ${name}`)) return;
    this.bytes(0x84);
    this.sharedString(name);
    this.signed(version);
    this.objects.set(`class ${name}`, this.slots++);
    this.classes(rest);
  }

  private sharedString(text: string): void {
    const known = this.strings.get(text);
    if (known !== undefined) {
      this.signed(known - 110);
      return;
    }
    this.strings.set(text, this.strings.size);
    this.bytes(0x84);
    this.unsigned(text.length);
    this.chunks.push(Buffer.from(text, 'latin1'));
  }

  private repeated(object: string): boolean {
    const known = this.objects.get(object);
    if (known === undefined) return false;
    this.signed(known - 110);
    return true;
  }

  private int32(value: number): void {
    this.bytes(0x82, value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  private bytes(...values: number[]): void {
    this.chunks.push(Buffer.from(values));
  }
}
