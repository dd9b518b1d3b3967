/** U+FFFC: the place of a file in a text. */
export const ATTACHMENT_MARK = '\ufffc';

type ClassChain = readonly (readonly [name: string, version: number])[];

const OBJECT: ClassChain = [['NSObject', 0]];
const STRING: ClassChain = [['NSString', 1], ...OBJECT];
const ATTRIBUTED: ClassChain = [['NSAttributedString', 0], ...OBJECT];
const DICTIONARY: ClassChain = [['NSDictionary', 0], ...OBJECT];
const URL_CLASS: ClassChain = [['NSURL', 0], ...OBJECT];
const DATA: ClassChain = [['NSData', 0], ...OBJECT];
const NUMBER: ClassChain = [['NSNumber', 0], ['NSValue', 0], ...OBJECT];

/**
 * `transferGuids`: the files of the marks, in order; `transcriptions`: what was said in each. `immutable`: NSAttributedString as the daemon archives it,
 * else the mutable one that Messages archives (docs/facts.md#layout).
 */
interface EncoderOptions {
  transferGuids?: readonly string[];
  transcriptions?: readonly (string | null)[];
  immutable?: boolean;
}

/** What an attribute may hold: a string, a number, a URL, or raw bytes. */
export type AttributeValue = string | number | { url: string } | Buffer;

/** A run of text with its own attributes, in the order in which they are archived. */
export interface AttributedRun {
  text: string;
  attributes: readonly (readonly [name: string, value: AttributeValue])[];
}

const PART = '__kIMMessagePartAttributeName';
const TRANSCRIPTION = 'IMAudioTranscription';
const FILE = '__kIMFileTransferGUIDAttributeName';

/**
 * A text as Messages archives it in `message.attributedBody`; a text without files is byte for byte what
 * imessage-exporter's fixtures hold. Each mark and each stretch between marks is a message part with a run of its own; so is each
 * of several texts, between which there is nothing in the body.
 */
export function encodeAttributedBody(text: string | readonly string[], options: EncoderOptions = {}): Buffer {
  const guids = [...(options.transferGuids ?? [])];
  const said = [...(options.transcriptions ?? [])];
  const runs = (typeof text === 'string' ? [text] : text)
    .flatMap((written) => written.split(/(\ufffc)/))
    .filter((part) => part !== '')
    .map((part, index): AttributedRun => {
      const guid = part === ATTACHMENT_MARK ? guids.shift() : undefined;
      const transcription = part === ATTACHMENT_MARK ? (said.shift() ?? null) : null;
      return {
        text: part,
        attributes: [
          ...(transcription === null ? [] : [[TRANSCRIPTION, transcription] as const]),
          ...(guid === undefined ? [] : [[FILE, guid] as const]),
          [PART, index],
        ],
      };
    });
  return encodeRuns(runs, options);
}

/** A text with any attributes. Runs that share one array of attributes share one archived dictionary. */
export function encodeRuns(
  runs: readonly AttributedRun[],
  options: Pick<EncoderOptions, 'immutable'> = {},
): Buffer {
  const writer = new TypedStreamWriter();
  const immutable = options.immutable ?? false;
  writer.group('@');
  writer.begin(immutable ? ATTRIBUTED : [['NSMutableAttributedString', 0], ...ATTRIBUTED]);
  writer.group('@');
  const text = runs.map((run) => run.text).join('');
  writer.string(text, immutable ? STRING : [['NSMutableString', 1], ...STRING]);
  const numbers = new Map<AttributedRun['attributes'], number>();
  for (const { text: stretch, attributes } of runs) {
    const known = numbers.get(attributes);
    writer.group('iI');
    writer.signed(known ?? numbers.size + 1);
    writer.unsigned(stretch.length);
    if (known !== undefined) continue;
    numbers.set(attributes, numbers.size + 1);
    writer.group('@');
    writer.begin(DICTIONARY);
    writer.group('i');
    writer.signed(attributes.length);
    for (const [name, value] of attributes) {
      writer.group('@');
      writer.key(name);
      writer.group('@');
      writeValue(writer, value);
    }
    writer.end();
  }
  writer.end();
  return writer.finish();
}

function writeValue(writer: TypedStreamWriter, value: AttributeValue): void {
  if (typeof value === 'string') writer.string(value, STRING);
  else if (typeof value === 'number') writer.number(value);
  else if (Buffer.isBuffer(value)) writer.data(value);
  else writer.url(value.url);
}

const HEADER = Buffer.from('\x04\x0bstreamtyped\x81\xe8\x03', 'latin1');

/** Writes the grammar of docs/facts.md#grammar: strings and objects are numbered apart, and repeated by number. */
class TypedStreamWriter {
  private out = Buffer.allocUnsafe(1024);
  private length = 0;
  private readonly strings = new Map<string, number>();
  private readonly objects = new Map<string, number>();
  private slots = 0;

  constructor() {
    this.append(HEADER);
  }

  finish(): Buffer {
    return Buffer.from(this.out.subarray(0, this.length));
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
    this.append(utf8);
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

  /** A URL of no base: a byte 0 and its string. */
  url(address: string): void {
    this.begin(URL_CLASS);
    this.group('c');
    this.bytes(0);
    this.group('@');
    this.string(address, STRING);
    this.end();
  }

  data(bytes: Buffer): void {
    this.begin(DATA);
    this.group('i');
    this.signed(bytes.length);
    this.group(`[${bytes.length}c]`);
    this.append(bytes);
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
    this.append(Buffer.from(text, 'latin1'));
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
    this.reserve(values.length);
    for (const value of values) this.out[this.length++] = value;
  }

  private append(bytes: Buffer): void {
    this.reserve(bytes.length);
    this.length += bytes.copy(this.out, this.length);
  }

  /** One buffer for all: a body of many runs has a million pieces. */
  private reserve(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.out.length) return;
    const larger = Buffer.allocUnsafe(wanted * 2);
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }
}
