import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeUtf8, Utf8Stream } from '../../src/system/utf8.js';

const LARGE = 20_000;

/** Bytes of text, bytes that are none, and pieces of characters. */
const someBytes = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom('é', '中', '😀', '\ufeff').chain((one) => {
        const whole = Buffer.from(one);
        return fc.nat(whole.length).map((cut) => whole.subarray(0, cut));
      }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => Buffer.concat(pieces));

describe('bytes as text', () => {
  test('are decoded as the platform decodes them, valid or not, few or many', () => {
    fc.assert(
      fc.property(someBytes, fc.boolean(), (bytes, isMany) => {
        const all = isMany ? Buffer.concat([Buffer.from('中'.repeat(LARGE)), bytes]) : bytes;
        expect(decodeUtf8(all)).toBe(all.toString('utf8'));
      }),
    );
  });

  test('are the same in whatever chunks they come, also where a seam cuts a character in two', () => {
    fc.assert(
      fc.property(someBytes, fc.array(fc.nat(40), { maxLength: 8 }), (bytes, cuts) => {
        const stream = new Utf8Stream();
        let text = '';
        let at = 0;
        for (const size of cuts) {
          text += stream.add(bytes.subarray(at, at + size));
          at += size;
        }
        text += stream.add(bytes.subarray(at)) + stream.end();
        expect(text).toBe(new TextDecoder().decode(bytes));
      }),
      { numRuns: 500 },
    );
  });
});
