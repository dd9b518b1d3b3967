import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalisedText } from '../../../src/messages/chatdb/rowBody.js';
import { sized } from '../../support/size.js';

describe('texts that Messages may have changed on the way are equal', () => {
  test.each([
    ['quotes', 'it\'s "fine"', 'it’s “fine”'],
    ['dashes', 'wait -- what', 'wait — what'],
    ['dots', 'well...', 'well…'],
    ['emoji presentation', '❤️ yes', '❤ yes'],
    ['joiners', '👩‍🍳', '👩🍳'],
    ['composition', 'e\u0301te\u0301', 'été'],
    ['whitespace', ' a\u00a0 b\r\nc ', 'a b c'],
    ['file marks', '\ufffcphoto', 'photo'],
  ])('%s', (_name, a, b) => {
    expect(normalisedText(a)).toBe(normalisedText(b));
  });
});

describe('different texts stay different', () => {
  test.each([
    ['👍', '👎'],
    ['好', '不好'],
    ['yes', 'Yes'],
    ['a', 'ab'],
    ['1-2', '12'],
  ])('%s and %s', (a, b) => {
    expect(normalisedText(a)).not.toBe(normalisedText(b));
    expect(normalisedText(a)).not.toBe('');
  });
});

test('is idempotent', () => {
  const parts = fc.constantFrom(
    'e',
    '\u0301',
    '\u200d',
    '\ufe0f',
    '—',
    '-',
    '…',
    '.',
    ' ',
    '\u00a0',
    '“',
    'か',
    '\u3099',
    '\n',
    '👍',
  );
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.array(parts).map((list) => list.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      expect(normalisedText(normalisedText(any))).toBe(normalisedText(any));
    }),
    { numRuns: sized(1_000, 10_000) },
  );
});
