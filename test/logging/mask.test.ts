import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskHandle } from '../../src/logging/mask.js';
import { anyText } from '../support/anyText.js';
import { sized } from '../support/size.js';

test.each([
  ['+13105551234', '+1•••1234'],
  ['+1 (310) 555-1234', '+1•••1234'],
  ['3105551234', '3•••1234'],
  ['5551234', '•••34'],
  ['242733', '•••33'],
  ['911', '•••'],
  ['jane@example.com', 'j•••@example.com'],
  ['j@example.com', '•••@example.com'],
  ['13105551234@example.com', '•••@example.com'],
  ['jane@1-310-555-1234.example', 'j•••@•••-•••-•••-•••.example'],
  ['iMessage;-;+13105551234', 'iMessage;-;+1•••1234'],
  ['any;-;jane@example.com', 'any;-;j•••@example.com'],
  ['SMS;-;242733', 'SMS;-;•••33'],
  ['chat831045551234567', 'chat831045551234567'],
  ['iMessage;+;chat831045551234567', 'iMessage;+;chat831045551234567'],
  ['any;+;7ac9f0d2e1b84c5f9a6b3c2d1e0f4a5b', 'any;+;7ac9f0d2e1b84c5f9a6b3c2d1e0f4a5b'],
  ['any;+;+13105551234', 'any;+;+1•••1234'],
  ['urn:biz:1234-5678', 'ur•••'],
  ['+13105551234(smsft)', '+•••'],
  ['ab', '•••'],
  ['', '•••'],
])('%s is shown as %s', (handle, shown) => {
  expect(maskHandle(handle)).toBe(shown);
});

const digitsOf = (text: string) => (text.match(/\p{Nd}/gu) ?? []).join('');

test('no full number remains, however it is written', () => {
  const digit = fc.constantFrom(...'0123456789٠١٢٣٤٥٦٧٨٩');
  const separator = fc.constantFrom('', '', '', ' ', '-', '.', '(', ')', '\u00a0');
  const number = fc
    .array(fc.tuple(digit, separator), { minLength: 3, maxLength: 15 })
    .map((parts) => parts.flat().join(''));
  const prefix = fc.constantFrom(
    '',
    '+',
    'tel:',
    'iMessage;-;',
    'SMS;-;+',
    'any;-;+',
    'RCS;-;',
    'any;+;+',
    'x;-;',
  );
  const suffix = fc.constantFrom('', '@example.com', '(smsft)', '\n', ';', ' ext 5');
  fc.assert(
    fc.property(prefix, number, suffix, (before, written, after) => {
      const masked = maskHandle(`${before}${written}${after}`);
      expect(masked).not.toContain(written);
      expect(digitsOf(masked)).not.toContain(digitsOf(written));
      expect(digitsOf(masked).length).toBeLessThanOrEqual(Math.min(8, digitsOf(written).length - 3));
    }),
    { numRuns: sized(500, 5_000) },
  );
});

test('no address remains, and masking is total', () => {
  fc.assert(
    fc.property(fc.emailAddress(), (address) => {
      expect(maskHandle(address)).not.toContain(address);
    }),
  );
  fc.assert(
    fc.property(anyText(), (text) => {
      expect(typeof maskHandle(text)).toBe('string');
    }),
  );
});
