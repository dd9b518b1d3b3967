import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { BodyShapes } from './BodyShapes.js';
import { Kind } from './ObjectTable.js';
import { beforeBinary } from './plainWords.js';
import { DamagedStream } from './StreamBytes.js';
import { TypedStreamReader } from './TypedStreamReader.js';
import type { RunAttributes, TextRun, TypedStream } from './textRuns.js';

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
