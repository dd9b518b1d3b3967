import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTACHMENT_MARK, encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import { decodeAttributedBody, parseTypedStream } from '../../../src/messages/chatdb/attributedBody.js';
import { sized } from '../../support/size.js';
import { BLOBS, blob } from './blobs.js';

const textOf = (bytes: Buffer) => {
  const parsed = parseTypedStream(bytes);
  return parsed.kind === 'text' ? parsed.text : parsed;
};

describe('blobs from real Macs', () => {
  test.each([
    ['textOnlyImmutable', 'Test 3'],
    ['textOnlyMutable', 'Noter test'],
    ['weirdText', '𝖍𝖊𝖑𝖑𝖔 𝖜𝖔𝖗𝖑𝖉'],
    ['blank', ''],
    ['endOfSegmentTrap', 'aↄb'],
  ] as const)('%s', (name, text) => {
    expect(textOf(blob(name))).toBe(text);
  });

  test('reads the files of a message in parts by their transfer guids', () => {
    const parsed = parseTypedStream(blob('multiPart'));
    if (parsed.kind !== 'text') throw new Error(parsed.reason);
    expect(parsed.text).toBe('\ufffctest 1\ufffctest 2 \ufffctest 3');
    expect(parsed.runs.map((run) => [run.start, run.length, run.attributes.messagePart])).toEqual([
      [0, 1, 0],
      [1, 6, 1],
      [7, 1, 2],
      [8, 7, 3],
      [15, 1, 4],
      [16, 6, 5],
    ]);
    const id = 'F0668F79-20C2-49C9-A87F-1B007ABB0CED';
    expect(parsed.runs.map((run) => run.attributes.transferGuid)).toEqual([
      `at_0_${id}`,
      null,
      `at_2_${id}`,
      null,
      `at_4_${id}`,
      null,
    ]);
  });

  test('counts runs in UTF-16 units', () => {
    const parsed = parseTypedStream(blob('weirdText'));
    expect(parsed).toMatchObject({ runs: [{ start: 0, length: 21 }] });
  });

  test('is what the encoder writes, byte for byte where there are no files', () => {
    expect(encodeAttributedBody('Noter test')).toEqual(blob('textOnlyMutable'));
    expect(encodeAttributedBody('𝖍𝖊𝖑𝖑𝖔 𝖜𝖔𝖗𝖑𝖉')).toEqual(blob('weirdText'));
    const id = 'F0668F79-20C2-49C9-A87F-1B007ABB0CED';
    const transferGuids = [`at_0_${id}`, `at_2_${id}`, `at_4_${id}`];
    const text = ['', 'test 1', 'test 2 ', 'test 3'].join(ATTACHMENT_MARK);
    expect(encodeAttributedBody(text, { transferGuids })).toSatisfy((body: Buffer) =>
      isDeepStrictEqual(parseTypedStream(body), parseTypedStream(blob('multiPart'))),
    );
    expect(encodeAttributedBody('', { immutable: true })).toEqual(blob('blank'));
  });
});

describe('lengths', () => {
  test.each([
    0, 1, 126, 127, 128, 129, 145, 146, 150, 243, 255, 256, 8192, 32767, 32768, 65535, 65536, 1_000_000,
  ])('%i bytes of text arrive whole, in both class chains', (length) => {
    const text = 'x'.repeat(length);
    expect(textOf(encodeAttributedBody(text))).toBe(text);
    expect(textOf(encodeAttributedBody(text, { immutable: true }))).toBe(text);
  });

  test('150 bytes of CJK lose neither first nor last byte', () => {
    const body = encodeAttributedBody('あ'.repeat(50));
    expect(body.includes(Buffer.from([0x81, 0x96, 0x00]))).toBe(true);
    expect(textOf(body)).toBe('あ'.repeat(50));
  });

  test('a 0x81 length of 0xFFxx is not negative', () => {
    const text = 'y'.repeat(0xff10);
    expect(textOf(encodeAttributedBody(text))).toBe(text);
  });
});

describe('what the parser refuses, and the fallback saves', () => {
  test('a declared length beyond the blob is damaged; the text that exists is saved', () => {
    const whole = encodeAttributedBody('This is parsing a message');
    const cut = whole.subarray(0, whole.indexOf('message'));
    expect(parseTypedStream(cut)).toEqual({ kind: 'damaged', reason: 'cut short' });
    expect(decodeAttributedBody(cut)).toEqual({ text: 'This is parsing a ', runs: [], fallback: true });
  });

  test('runs that do not cover the text are damaged', () => {
    const whole = encodeAttributedBody('abc');
    const run = whole.indexOf(Buffer.from([0x69, 0x49, 0x01, 0x03])) + 3;
    whole[run] = 2;
    expect(parseTypedStream(whole)).toEqual({ kind: 'damaged', reason: 'runs that do not cover the text' });
    expect(decodeAttributedBody(whole)).toMatchObject({ text: 'abc', fallback: true });
  });

  test('lone surrogates neither throw nor lose the text around them', () => {
    const decoded = decodeAttributedBody(encodeAttributedBody('a\ud83db'));
    expect(decoded.text).toMatch(/^a.+b$/);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a property list', Buffer.from('bplist00')],
    ['the big-endian form', Buffer.from('\x04\x0btypedstream\x81\x03\xe8', 'latin1')],
    ['zeros', Buffer.alloc(300)],
    ['more than 1 MiB', Buffer.alloc(1024 * 1024 + 1)],
  ])('%s has no text', (_name, bytes) => {
    expect(decodeAttributedBody(bytes)).toEqual({ text: null, runs: [], fallback: true });
  });

  test('endless nesting is refused', () => {
    const header = '\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@';
    const nested = Buffer.from(`${header}${'\x84\x84\x84\x01A\x00\x85\x92'.repeat(20_000)}`, 'latin1');
    expect(parseTypedStream(nested)).toMatchObject({ kind: 'damaged' });
    const superclasses = Buffer.from(`${header}\x84${'\x84\x84\x01A\x00'.repeat(20_000)}`, 'latin1');
    expect(parseTypedStream(superclasses)).toEqual({ kind: 'damaged', reason: 'nested too deeply' });
  });
});

describe('types that attributes may hold', () => {
  /** A group between runs and end is not allowed, so the extra value goes behind the root: group* until the end. */
  const behind = (...bytes: (number | string)[]) =>
    Buffer.concat([
      encodeAttributedBody('hi'),
      ...bytes.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from([part]))),
    ]);

  test.each([
    ['double', behind(0x84, 1, 'd', 0x83, '\0\0\0\0\0\0\xf0\x3f')],
    ['float', behind(0x84, 1, 'f', 0x83, '\0\0\x80\x3f')],
    ['whole number as a double', behind(0x84, 1, 'd', 7)],
    ['int16 and int32', behind(0x84, 2, 'iq', 0x81, 0, 1, 0x82, 0, 0, 1, 0)],
    ['bytes', behind(0x84, 2, 'cC', 0x84, 0x86)],
    ['byte array', behind(0x84, 4, '[3c]', 'abc')],
    ['array of ints', behind(0x84, 4, '[2i]', 1, 2)],
    ['struct', behind(0x84, 19, '{_NSRange=QQ{x=ii}}', 1, 2, 3, 4)],
    ['nameless struct', behind(0x84, 4, '{ii}', 1, 2)],
    ['nil object, C string, selector, class', behind(0x84, 4, '@*:#', 0x85, 0x85, 0x85, 0x85)],
    ['C string', behind(0x84, 2, '**', 0x84, 0x84, 2, 'hi', 0x92 + 14)],
  ])('%s', (_name, bytes) => {
    expect(textOf(bytes)).toBe('hi');
  });

  test.each([
    ['unknown type', behind(0x84, 1, 'z', 1)],
    ['array of nothing', behind(0x84, 7, '[9{x=}]')],
    ['array without a size', behind(0x84, 3, '[c]')],
    ['huge array', behind(0x84, 14, '[99999999999c]')],
    ['struct without an end', behind(0x84, 3, '{xi', 1)],
    ['reference to nothing', behind(0x84, 1, '@', 0x7f)],
    ['tag for a number', behind(0x84, 1, 'i', 0x84)],
    ['endless types', behind(0x84, 0x81, 0, 1, 'i'.repeat(256), '\0'.repeat(256))],
  ])('refuses: %s', (_name, bytes) => {
    expect(parseTypedStream(bytes)).toMatchObject({ kind: 'damaged' });
  });
});

describe('properties', () => {
  test('any text of any parts survives the round trip', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 400 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 140 }), fc.boolean(), (stretches, immutable) => {
        const plain = stretches.map((stretch) =>
          Buffer.from(stretch).toString().replaceAll(ATTACHMENT_MARK, ''),
        );
        const whole = plain.join(ATTACHMENT_MARK);
        const marks = Math.max(plain.length - 1, 0);
        const transferGuids = Array.from({ length: marks }, (_, i) => `at_${i}_guid`);
        const parsed = parseTypedStream(encodeAttributedBody(whole, { transferGuids, immutable }));
        if (parsed.kind !== 'text') throw new Error(parsed.reason);
        expect(parsed.text).toBe(whole);
        expect(parsed.runs.flatMap((run) => run.attributes.transferGuid ?? [])).toEqual(transferGuids);
      }),
      { numRuns: sized(50, 500) },
    );
  });

  test('truncated at every byte: never throws, never invents, and saves the beginning of the whole text', () => {
    for (const name of Object.keys(BLOBS) as (keyof typeof BLOBS)[]) {
      const whole = blob(name);
      const text = decodeAttributedBody(whole).text ?? '';
      for (let end = 0; end < whole.length; end++) {
        const decoded = decodeAttributedBody(whole.subarray(0, end));
        expect(decoded.fallback).toBe(true);
        expect(text.startsWith(decoded.text ?? ''), `${name} cut at ${end}: ${decoded.text}`).toBe(true);
      }
    }
  });

  test('any flipped bytes: never throws, and a text covers its runs', () => {
    const flips = fc.array(fc.tuple(fc.nat(600), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(BLOBS) as (keyof typeof BLOBS)[])),
        flips,
        (name, changes) => {
          const bytes = blob(name);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const parsed = parseTypedStream(bytes);
          if (parsed.kind === 'text') {
            const covered = parsed.runs.reduce((sum, run) => sum + run.length, 0);
            expect(covered).toBe(parsed.text.length);
          }
          decodeAttributedBody(bytes);
        },
      ),
      { numRuns: sized(4_000, 40_000) },
    );
  });

  test('any bytes at all: never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        decodeAttributedBody(bytes);
        decodeAttributedBody(Buffer.concat([blob('blank').subarray(0, 16), bytes]));
      }),
      { numRuns: sized(4_000, 40_000) },
    );
  });
});
