import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { Kind } from './ObjectTable.js';
import { DamagedStream } from './StreamBytes.js';
import { TypedStreamReader } from './TypedStreamReader.js';

/** What we want to know of a run's attributes; others (effects, data detectors, sizes) are read and left. */
interface RunAttributes {
  readonly messagePart: number | null;
  /** `attachment.guid` of the file whose place is this run's U+FFFC. */
  readonly transferGuid: string | null;
  /** The handle of a person who is mentioned. */
  readonly mention: string | null;
  readonly link: string | null;
  /** What was said in the audio file whose place this is, as far as a device wrote it down. */
  readonly transcription: string | null;
  readonly oneTimeCode: boolean;
}

/** A stretch of the text; `start` and `length` count UTF-16 code units, as JavaScript does. */
export interface TextRun {
  start: number;
  length: number;
  attributes: RunAttributes;
}

type TypedStream = { kind: 'text'; text: string; runs: TextRun[] } | { kind: 'damaged'; reason: string };

/** U+FFFC stands for a file, U+FFFD for an app's balloon and for bytes that are no text. */
const PLACEHOLDERS = /[\ufffc\ufffd]/g;

/** Half a character of UTF-16, which nothing can show and JSON readers refuse. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const LINE_ENDS = /\r\n?|[\x0b\x0c\u0085]/g;
/** The control characters of ASCII and Latin-1 but those that end a line, and tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;
/** Anything of all this: most texts have none of it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const ANY = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufffc\ufffd\p{Surrogate}]|\$\(kIM/u;
/** Where the text of a damaged body ends: at a control byte, or at two bytes in a row that are no UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const BINARY = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\ufffd{2}/;

/**
 * Names that Messages replaces when it shows an app's line, as
 * `$(kIMTranscriptPluginBreadcrumbTextReceiverIdentifier) closed all three rings` (imessage-exporter, platform-imessage). Apple's
 * constants begin with kIM and a capital: `$(kim)` is something that a person typed.
 */
const MACRO = /\$\(kIM[A-Z]\w*\)?/g;
const APP_LINE = /^[\s\ufffc\ufffd]*\$\(kIM[A-Z]\w*/;

/**
 * What a person reads of a text of chat.db: without the places of files and balloons, control characters, halves of characters
 * and names that only Messages can fill in. Empty for a line that an app wrote. Every text of chat.db that leaves the Mac or is
 * compared with one goes through here.
 */
export function plainWords(text: string | null): string {
  if (text === null) return '';
  if (!ANY.test(text)) return text.trim();
  if (isAppLine(text)) return '';
  return text
    .replace(MACRO, '')
    .replace(LINE_ENDS, '\n')
    .replace(CONTROLS, '')
    .replace(PLACEHOLDERS, '')
    .replace(LONE_SURROGATE, '')
    .trim();
}

/** Whether a text begins with a name that Messages fills in: an app's line about somebody, which no person wrote. */
export function isAppLine(text: string | null): boolean {
  return text !== null && APP_LINE.test(text);
}

/** So many bytes of a damaged body are read at first. */
const FIRST_LOOK = 1024;
/** The end of a stretch of bytes may cut a character in two, which is this many others then. */
const CUT_IN_TWO = 3;

/**
 * The text at the start of these bytes of a damaged body: its declared length may reach into the bytes behind the text, which
 * begin with bytes that are no UTF-8. Null if there is none. Only about as much is decoded as is kept.
 */
export function beforeBinary(bytes: Buffer, from: number, to: number): string | null {
  for (let size = FIRST_LOOK; ; size *= 4) {
    const end = Math.min(from + size, to);
    const text = bytes.toString('utf8', from, end);
    const binary = text.search(BINARY);
    const isKnown = binary >= 0 && binary + 2 <= text.length - CUT_IN_TWO;
    if (end < to && !isKnown) continue;
    const words = (binary < 0 ? text : text.slice(0, binary)).replace(/\ufffd$/, '');
    return words === '' ? null : words;
  }
}

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
class BodyShapes {
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
  const text = saved === null ? null : beforeBinary(bytes, saved.from, Math.min(saved.to, bytes.length));
  return { text, runs: NO_RUNS, fallback: true };
}

/** Where some text stands; its end may lie behind that of the blob. */
interface Stretch {
  from: number;
  to: number;
}

/** The text behind `NSString … 84 01 2B <length>`, by its declared length and not by what follows it. */
function anchoredText(bytes: Buffer): Stretch | null {
  for (const name of STRING_CLASSES) {
    const anchor = bytes.indexOf(name, 0, 'latin1');
    if (anchor < 0) continue;
    const type = bytes.indexOf(BYTES_TYPE, anchor + name.length);
    if (type < 0 || type > anchor + name.length + ANCHOR_REACH) continue;
    const stretch = lengthPrefixed(bytes, type + BYTES_TYPE.length);
    if (stretch !== null) return stretch;
  }
  return null;
}

function lengthPrefixed(bytes: Buffer, at: number): Stretch | null {
  const tag = bytes[at];
  if (tag === undefined) return null;
  if (tag === 0x81) return at + 3 > bytes.length ? null : stretch(at + 3, bytes.readUInt16LE(at + 1));
  if (tag === 0x82) return at + 5 > bytes.length ? null : stretch(at + 5, bytes.readUInt32LE(at + 1));
  return tag >= 0x83 && tag <= 0x91 ? null : stretch(at + 1, tag);
}

function stretch(from: number, length: number): Stretch {
  return { from, to: from + length };
}

const OBJECT = Buffer.from('@');
const RUN = Buffer.from('iI');
const MESSAGE_PART = Buffer.from('__kIMMessagePartAttributeName');
const TRANSFER_GUID = Buffer.from('__kIMFileTransferGUIDAttributeName');
const MENTION = Buffer.from('__kIMMentionConfirmedMention');
const LINK = Buffer.from('__kIMLinkAttributeName');
const TRANSCRIPTION = Buffer.from('IMAudioTranscription');
const ONE_TIME_CODE = Buffer.from('__kIMOneTimeCodeAttributeName');

/** No message has this many stretches of text with attributes of their own. */
const MAX_RUNS = 1 << 16;

const reader = new TypedStreamReader();
const shapes = new BodyShapes();

/**
 * Reads an archived NSAttributedString (`message.attributedBody`), strictly: the text, and runs that cover it
 * exactly. Total: never throws, never reads past the blob, its work is bounded by the blob's size.
 */
export function parseTypedStream(blob: Buffer): TypedStream {
  if (blob.length > INPUT_LIMITS.messageBody) return { kind: 'damaged', reason: 'too large' };
  const known = shapes.read(blob);
  if (known !== null) return known;
  try {
    reader.open(blob);
    return attributedString(blob);
  } catch (thrown) {
    if (thrown instanceof DamagedStream) return { kind: 'damaged', reason: thrown.reason };
    throw thrown;
  } finally {
    reader.bytes.release();
  }
}

/** root := class, "@" string, then for each run "iI" (number, length), followed by "@" dictionary if it is new. */
function attributedString(blob: Buffer): TypedStream {
  reader.expectTypes(OBJECT);
  const root = reader.beginObject();
  if (reader.objects.kind(root) !== Kind.attributedString) throw new DamagedStream('no attributed string');
  reader.expectTypes(OBJECT);
  const string = reader.object();
  const text = textOf(string);
  if (text === null) throw new DamagedStream('an attributed string without a string');
  const attributesIn = rememberingAttributes();
  const dictionaries: RunAttributes[] = [];
  const runs: TextRun[] = [];
  let start = 0;
  let runAt = 0;
  while (!reader.takeEnd()) {
    reader.expectTypes(RUN);
    const number = reader.bytes.signed();
    runAt = reader.bytes.at;
    const length = reader.bytes.unsigned();
    if (number === dictionaries.length + 1) {
      reader.expectTypes(OBJECT);
      dictionaries.push(attributesIn(reader.object()));
    }
    const attributes = dictionaries[number - 1];
    if (attributes === undefined) throw new DamagedStream('a run with unknown attributes');
    if (length === 0 && runs.length > 0) throw new DamagedStream('a run of nothing');
    if (runs.length >= MAX_RUNS) throw new DamagedStream('too many runs');
    runs.push({ start, length, attributes });
    start += length;
  }
  if (start !== text.length) throw new DamagedStream('runs that do not cover the text');
  while (!reader.bytes.atEnd) reader.group(-1);
  const only = runs.length === 1 ? runs[0]?.attributes : undefined;
  if (only !== undefined && isOrdinary(only)) {
    shapes.learn(blob, reader.objects.from(string), reader.objects.length(string), runAt, only);
  }
  return { kind: 'text', text, runs };
}

/**
 * Reads each dictionary once and each string once: a blob may name the same large one many thousand times, and neither time
 * nor memory may grow with that.
 */
function rememberingAttributes(): (dictionary: number) => RunAttributes {
  const known = new Map<number, RunAttributes>();
  const strings = new Map<number, string | null>();
  const stringIn = (slot: number) => {
    const source = stringSlot(slot);
    const text = strings.has(source) ? (strings.get(source) ?? null) : textOf(source);
    strings.set(source, text);
    return text;
  };
  return (dictionary) => {
    const attributes = known.get(dictionary) ?? attributesOf(dictionary, stringIn);
    known.set(dictionary, attributes);
    return attributes;
  };
}

function attributesOf(dictionary: number, stringIn: (slot: number) => string | null): RunAttributes {
  const { objects } = reader;
  if (objects.kind(dictionary) !== Kind.dictionary) throw new DamagedStream('a run without a dictionary');
  const attributes: { -readonly [key in keyof RunAttributes]: RunAttributes[key] } = {
    messagePart: null,
    transferGuid: null,
    mention: null,
    link: null,
    transcription: null,
    oneTimeCode: false,
  };
  for (let link = objects.first(dictionary); link >= 0; ) {
    const key = objects.target(link);
    const valueLink = objects.next(link);
    const value = objects.target(valueLink);
    if (is(key, MESSAGE_PART)) attributes.messagePart = integerOf(value);
    else if (is(key, TRANSFER_GUID)) attributes.transferGuid = stringIn(value);
    else if (is(key, MENTION)) attributes.mention = stringIn(value);
    else if (is(key, LINK)) attributes.link = stringIn(value);
    else if (is(key, TRANSCRIPTION)) attributes.transcription = stringIn(value);
    else if (is(key, ONE_TIME_CODE)) attributes.oneTimeCode = true;
    link = valueLink < 0 ? -1 : objects.next(valueLink);
  }
  return attributes;
}

/** Whether other messages may have the very same attributes. */
function isOrdinary(attributes: RunAttributes): boolean {
  const { transferGuid, mention, link, transcription } = attributes;
  return transferGuid === null && mention === null && link === null && transcription === null;
}

/** The slot of a string itself, or of the string in a URL. */
function stringSlot(slot: number): number {
  const { objects } = reader;
  return objects.kind(slot) === Kind.url ? objects.target(objects.first(slot)) : slot;
}

function textOf(slot: number): string | null {
  const { bytes, objects } = reader;
  const string = stringSlot(slot);
  const from = objects.from(string);
  if (objects.kind(string) !== Kind.string || from < 0) return null;
  return bytes.blob.toString('utf8', from, from + objects.length(string));
}

function integerOf(slot: number): number | null {
  const value = reader.objects.number(slot);
  return Number.isInteger(value) ? value : null;
}

function is(slot: number, word: Buffer): boolean {
  const { bytes, objects } = reader;
  return (
    objects.kind(slot) === Kind.string &&
    objects.length(slot) === word.length &&
    bytes.same(objects.from(slot), word)
  );
}
