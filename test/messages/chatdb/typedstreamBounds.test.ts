import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAttributedBody, parseTypedStream } from '../../../src/messages/chatdb/attributedBody.js';
import { sized } from '../../support/size.js';

const NEW = Buffer.from([0x84]);
const NIL = Buffer.from([0x85]);
const END = Buffer.from([0x86]);

/** A number that is never negative: the same whether it is read as signed or not. */
function unsigned(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  const escaped = Buffer.from(value <= 0x7fff ? [0x81, 0, 0] : [0x82, 0, 0, 0, 0]);
  if (value <= 0x7fff) escaped.writeUInt16LE(value, 1);
  else escaped.writeUInt32LE(value, 1);
  return escaped;
}

const shared = (text: string) => Buffer.concat([NEW, unsigned(text.length), Buffer.from(text, 'latin1')]);
/** Names the entry of this number in one of the two tables. */
const named = (index: number) => Buffer.from([0x92 + index]);

/**
 * A body whose every run has one character and a number of its own, and whose numbers all name one dictionary: that with
 * these entries. Strings are numbered @ 0, NSAttributedString 1, NSString 2, + 3, iI 4, NSDictionary 5; objects: root 0 and
 * its class 1, text 2 and its class 3, dictionary 4.
 */
function hostileBody(runs: number, entries: Buffer, runLength = 1): Buffer {
  const text = 'a'.repeat(runs * runLength);
  const parts = [
    Buffer.from('\x04\x0bstreamtyped\x81\xe8\x03', 'latin1'),
    ...[shared('@'), NEW, NEW, shared('NSAttributedString'), unsigned(0), NIL],
    ...[named(0), NEW, NEW, shared('NSString'), unsigned(1), NIL],
    ...[shared('+'), unsigned(text.length), Buffer.from(text), END],
    ...[
      shared('iI'),
      unsigned(1),
      unsigned(runLength),
      named(0),
      NEW,
      NEW,
      shared('NSDictionary'),
      unsigned(0),
      NIL,
    ],
    ...[entries, END],
  ];
  for (let run = 2; run <= runs; run++)
    parts.push(named(4), unsigned(run), unsigned(runLength), named(0), named(4));
  return Buffer.concat([...parts, END]);
}

/** A new string: its class is object 3, its bytes' type string 3. */
const string = (text: string) =>
  Buffer.concat([named(0), NEW, named(3), named(3), unsigned(text.length), Buffer.from(text), END]);

/** `ms` is CPU time, which a busy machine does not change. */
function timed<T>(work: () => T): { value: T; ms: number } {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { value, ms: (user + system) / 1_000 };
}

describe('the work and the memory for a body are bounded by its size', () => {
  test('one large dictionary that every run names is read once', () => {
    const entries = Buffer.alloc(50_000 * 2, Buffer.concat([named(0), named(2)]));
    const { value, ms } = timed(() => parseTypedStream(hostileBody(30_000, entries)));
    expect(value.kind).toBe('text');
    expect(ms).toBeLessThan(2000);
  });

  test('one long string that every run names is kept once', () => {
    const link = `https://e.example/${'x'.repeat(400_000)}`;
    const entries = Buffer.concat([string('__kIMLinkAttributeName'), string(link)]);
    const before = process.memoryUsage().heapUsed;
    const { value, ms } = timed(() => parseTypedStream(hostileBody(20_000, entries)));
    if (value.kind !== 'text') throw new Error(value.reason);
    expect(value.runs).toHaveLength(20_000);
    expect(new Set(value.runs.map((run) => run.attributes)).size).toBe(1);
    expect(value.runs[0]?.attributes.link).toBe(link);
    expect(ms).toBeLessThan(2000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 * 1024);
  });

  test('runs of nothing, and more of them than any message has, are refused; the text is saved', () => {
    expect(parseTypedStream(hostileBody(1, Buffer.alloc(0), 0))).toMatchObject({ kind: 'text', text: '' });
    expect(parseTypedStream(hostileBody(2, Buffer.alloc(0), 0))).toEqual({
      kind: 'damaged',
      reason: 'a run of nothing',
    });
    const many = hostileBody(70_000, Buffer.alloc(0));
    expect(parseTypedStream(many)).toEqual({ kind: 'damaged', reason: 'too many runs' });
    expect(decodeAttributedBody(many)).toMatchObject({ text: 'a'.repeat(70_000), fallback: true });
  });
});

/** A blob that no parser takes, with these bytes where its text should be, and what is declared as their length. */
function damagedBody(bytes: Uint8Array, declared: number): Buffer {
  const length = Buffer.from([0x82, 0, 0, 0, 0]);
  length.writeUInt32LE(declared, 1);
  return Buffer.concat([Buffer.from('NSString'), NEW, Buffer.from([0x01, 0x2b]), length, bytes]);
}

describe('of a damaged body', () => {
  test('no more is decoded than a multiple of what is kept, however long it is', () => {
    const text = 'あ'.repeat(3_000);
    const blob = damagedBody(
      Buffer.concat([Buffer.from(text), Buffer.alloc(1_000_000, Buffer.from([0xe3, 0x81, 0x00]))]),
      1_000_000,
    );
    let decoded = 0;
    blob.toString = (encoding, from = 0, to = blob.length) => {
      decoded += to - from;
      return Buffer.prototype.toString.call(blob, encoding, from, to);
    };
    expect(decodeAttributedBody(blob)).toEqual({ text, runs: [], fallback: true });
    expect(decoded).toBeGreaterThan(0);
    expect(decoded).toBeLessThan(60_000);
  });

  test('the text is the same as when all of it is decoded at once', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they end the text.
    const binary = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\ufffd{2}/;
    const pieces = ['a', '\n', 'あ', '😀', '\ufffd', '\u0080', 'é'].map((piece) => Buffer.from(piece));
    const text = fc.array(
      fc.oneof(
        { weight: 200, arbitrary: fc.tuple(fc.constantFrom(...pieces), fc.integer({ min: 1, max: 900 })) },
        {
          weight: 1,
          arbitrary: fc.tuple(
            fc.uint8Array({ maxLength: 4 }).map((odd) => Buffer.from(odd)),
            fc.constant(1),
          ),
        },
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 40_000 }), (written, declared) => {
        const bytes = Buffer.concat(
          written.map(([piece, times]) => Buffer.alloc(piece.length * times, piece)),
        );
        const all = bytes.toString('utf8', 0, declared);
        const end = all.search(binary);
        const kept = (end < 0 ? all : all.slice(0, end)).replace(/\ufffd$/, '');
        expect(decodeAttributedBody(damagedBody(bytes, declared)).text).toBe(kept === '' ? null : kept);
      }),
      { numRuns: sized(500, 5_000), seed: 21 },
    );
  });
});
