import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TEXT_BYTES, splitText } from '../../src/outgoing/Requests.js';
import { anyText } from '../support/anyText.js';
import { sized } from '../support/size.js';

const length = (text: string) => [...text].length;
const solid = (text: string) => text.replaceAll(/\s+/gu, '');

describe('a text that is too long', () => {
  test.each([
    ['between words', 'one two three four', 9, ['one two', 'three', 'four']],
    [
      'at a line break rather than at a later space',
      'first line\nsecond and more',
      18,
      ['first line', 'second and more'],
    ],
    [
      'not in the middle of an address',
      'see example.com/a/b/c?d=e soon',
      26,
      ['see example.com/a/b/c?d=e', 'soon'],
    ],
    ['right where a word ends at the limit', 'abcde fghij', 5, ['abcde', 'fghij']],
    ['inside a word only if it alone is too long', 'abcdefghij', 4, ['abcd', 'efgh', 'ij']],
    ['between the words of a language without spaces', '今日は天気がいい', 4, ['今日は', '天気が', 'いい']],
    ['never inside a grapheme', '👨‍👩‍👧‍👦👨‍👩‍👧‍👦', 10, ['👨‍👩‍👧‍👦', '👨‍👩‍👧‍👦']],
    ['never between the halves of a character', '😀😀😀', 1, ['😀', '😀', '😀']],
  ])('is cut %s', (_, text, most, parts) => {
    expect(splitText(text, most)).toEqual(parts);
  });

  test('is cut inside a grapheme that alone is too long', () => {
    const parts = splitText('👨‍👩‍👧‍👦', 3);
    expect(parts.join('')).toBe('👨‍👩‍👧‍👦');
    expect(parts.every((part) => length(part) <= 3)).toBe(true);
  });

  test('is cut by its bytes too', () => {
    const parts = splitText('漢'.repeat(100_000), 100_000);
    expect(parts.every((part) => Buffer.byteLength(part) <= MAX_TEXT_BYTES)).toBe(true);
    expect(parts.join('')).toBe('漢'.repeat(100_000));
  });

  test('loses nothing but white space, whatever it is, and makes no part that is blank or too long', () => {
    const anything = anyText({ maxLength: 300 });
    const wordy = fc
      .array(fc.constantFrom('word', ' ', '\n', '👩🏽‍🚀', 'é', '漢字', '\ud800', '  '), { maxLength: 120 })
      .map((words) => words.join(''));
    fc.assert(
      fc.property(fc.oneof(anything, wordy), fc.integer({ min: 1, max: 40 }), (text, most) => {
        const parts = splitText(text, most);
        expect(solid(parts.join(''))).toBe(solid(text));
        for (const part of parts) {
          expect(part.trim()).not.toBe('');
          expect(length(part)).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: sized(150, 1_000) },
    );
  });

  test('of a megabyte is cut within a moment', () => {
    const began = performance.now();
    expect(splitText('lorem ipsum dolor sit amet '.repeat(40_000), 10_000).length).toBeGreaterThan(100);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
