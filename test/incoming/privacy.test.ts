import fc from 'fast-check';
import { findPhoneNumbersInText } from 'libphonenumber-js/min';
import { describe, expect, test } from 'vitest';
import { privacyFilter } from '../../src/incoming/privacy.js';
import { PRIVATE_KINDS, type PrivateKind } from '../../src/incoming/privacyDetectors.js';
import { anyText } from '../support/anyText.js';
import { passesLuhn } from '../support/luhn.js';
import { sized } from '../support/size.js';

const all = privacyFilter(PRIVATE_KINDS, 'US');
const only = (kind: PrivateKind, text: string) => privacyFilter([kind], 'US')?.(text).text;
const filtered = (text: string) => all?.(text);

describe('what is private is removed', () => {
  test.each([
    ['ssn', 'my ssn is 123-45-6789', 'my ssn is [ssn]'],
    ['ssn', '123 45 6789', '[ssn]'],
    ['ssn', 'social 123456789 ok', 'social [ssn] ok'],
    ['ssn', 'with a non-breaking hyphen 123‑45‑6789.', 'with a non-breaking hyphen [ssn].'],
    ['ssn', '123/45/6789', '[ssn]'],
    ['ssn', '123 - 45 - 6789', '[ssn]'],
    ['ssn', '123\t45\t6789', '[ssn]'],
    ['ssn', '123\n45\n6789', '[ssn]'],
    ['ssn', '123·45·6789', '[ssn]'],
    ['ssn', 'SSN 123 456 789', 'SSN [ssn]'],
    ['ssn', 'ssn: 123, 45, 6789', 'ssn: [ssn]'],
    ['credit_card', '4111\t1111\t1111\t1111', '[credit_card]'],
    ['credit_card', '4111/1111/1111/1111', '[credit_card]'],
    ['credit_card', '4111_1111_1111_1111', '[credit_card]'],
    ['credit_card', '4111·1111·1111·1111', '[credit_card]'],
    ['credit_card', '4111*1111*1111*1111', '[credit_card]'],
    ['credit_card', '4111, 1111, 1111, 1111, 123', '[credit_card], 123'],
    ['credit_card', '4111   1111   1111   1111', '[credit_card]'],
    ['credit_card', 'it is\n4111\n1111\n1111\n1111\nthanks', 'it is\n[credit_card]\nthanks'],
    ['credit_card', '4111\r\n1111 | 1111\u{1f4b3}1111', '[credit_card]'],
    ['credit_card', '3782/822463/10005', '[credit_card]'],
    ['credit_card', '4111 1111 1111 1111 exp 12/29', '[credit_card] exp 12/29'],
    ['credit_card', '4111-1111-1111-1111', '[credit_card]'],
    ['credit_card', 'amex 378282246310005!', 'amex [credit_card]!'],
    ['credit_card', '12 4111 1111 1111 1111 123', '12 [credit_card] 123'],
    ['credit_card', '４１１１ １１１１ １１１１ １１１１', '[credit_card]'],
    ['credit_card', '4111\u200b1111\u200b1111\u200b1111', '[credit_card]'],
    ['credit_card', '٤١١١١١١١١١١١١١١١', '[credit_card]'],
    ['credit_card', '𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏', '[credit_card]'],
    ['email', 'write to jane.doe+x@mail.example.co.uk, please', 'write to [email], please'],
    ['email', '<ångström@exämple.se>', '<[email]>'],
    ['email', 'jane＠example.com', '[email]'],
    ['phone', 'call +1 (310) 555-1234 now', 'call [phone] now'],
    ['phone', 'or 310.555.1234', 'or [phone]'],
    ['phone', 'London: +44 20 7946 0958', 'London: [phone]'],
  ] as const)('%s: %s', (kind, text, expected) => {
    expect(only(kind, text)).toBe(expected);
    expect(filtered(text)?.fields).toContain(kind);
  });

  test('several kinds in one text, named once each and in the order of the setting', () => {
    expect(filtered('a@b.co, c@d.co, 310-555-1234 and 4111111111111111')).toEqual({
      text: '[email], [email], [phone] and [credit_card]',
      fields: ['credit_card', 'email', 'phone'],
    });
  });
});

describe('ordinary text is unchanged', () => {
  test.each([
    'see you at 10:30 on 12/31/2026',
    'order 20261120-0042, 3 items for $1,299.00',
    '1234567890123 is no card: its check digit is wrong',
    '123456789 is nine digits of anything',
    'the code is 482913',
    '@jane said: 5 @ 3 each',
    'v1.2.3.4 build 20260101',
    'room 12-34',
    'we have 123, 45 and 6789 of them: 123, 45, 6789',
    'one number in three pieces: 123 456 789',
    '20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150',
    '200/300/400/500/600/700/800/900/300/400/500/600',
    '2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026',
    'scores:\n555123\n555124\n555125\n555126\n555127\n555128',
    '12/31/2026, 1/15/2027 and 3/1/2027',
    'ﬁne ½ ℡ ２０２６ 👨‍👩‍👧 — ok',
    '',
  ])('%s', (text) => expect(filtered(text)).toEqual({ text, fields: [] }));

  test('texts of any language, with small numbers, unchanged', () => {
    const word = fc.stringMatching(/^[\p{L}\p{Emoji_Presentation}.,!?'’-]{0,12}$/u);
    const texts = fc
      .array(fc.oneof(word, fc.nat(9999).map(String)), { maxLength: 1 })
      .chain((first) => fc.array(word, { maxLength: 20 }).map((rest) => [...first, ...rest].join(' ')));
    fc.assert(
      fc.property(texts, (text) => {
        expect(filtered(text)).toEqual({ text, fields: [] });
      }),
    );
  });

  test('without a kind there is no filter', () => expect(privacyFilter([], 'US')).toBeUndefined());
});

describe('nothing that matches remains', () => {
  const separator = fc.oneof(
    fc.constantFrom('', ' ', '-', '.', '  ', '\u00a0', '\u2011', '\u200b'),
    fc.stringMatching(/^[\s,;:/_|·•*()-]{1,3}$/),
  );
  const card = fc
    .tuple(fc.constantFrom('4', '5', '37', '6011', '2221'), fc.stringMatching(/^\d{11}$/))
    .map(([prefix, rest]) => prefix + rest)
    .map((digits) => digits + [...'0123456789'].find((check) => passesLuhn(digits + check)));
  const groups = (digits: string, by: string) => (digits.match(/.{1,4}/g) ?? []).join(by);
  const cards = fc.tuple(card, separator).map(([digits, by]) => groups(digits, by));
  const ssns = fc
    .tuple(
      fc.integer({ min: 100, max: 665 }),
      fc.integer({ min: 10, max: 99 }),
      fc.integer({ min: 1000, max: 9999 }),
    )
    .map((parts) => parts.join('-'));
  const phones = fc
    .tuple(
      fc.integer({ min: 200, max: 999 }),
      fc.integer({ min: 200, max: 999 }),
      fc.integer({ min: 1000, max: 9999 }),
    )
    .map(([a, b, c]) => `+1 (${a}) ${b}-${c}`);
  const addresses = fc.emailAddress();
  const noise = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.stringMatching(/^[\d .()+@-]{0,24}$/),
    anyText({ maxLength: 8 }),
  );
  const texts = fc
    .array(fc.oneof(noise, cards, ssns, phones, addresses), { maxLength: 8 })
    .chain((parts) => separator.map((by) => parts.join(by)));

  test('neither for the same patterns again nor for the library that knows phone numbers', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const once = filtered(text)?.text ?? '';
        expect(filtered(once)).toEqual({ text: once, fields: [] });
        expect(findPhoneNumbersInText(once, { defaultCountry: 'US' })).toEqual([]);
        expect(once).not.toMatch(/(?<!\d)(?!000|666)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\d)/);
      }),
      { numRuns: sized(100, 1_000) },
    );
  });

  test.each([
    ['a card', cards, 'credit_card'],
    ['a social security number', ssns, 'ssn'],
    ['an address', addresses, 'email'],
  ] as const)('%s between words is removed to the last character', (_, privates, kind) => {
    fc.assert(
      fc.property(privates, (value) => {
        expect(only(kind, `it is ${value} ok`)).toBe(`it is [${kind}] ok`);
      }),
    );
  });
});

test('a long text without anything private costs milliseconds, whatever its form', () => {
  const parts = ['a', ' ', '@', '1 ', 'a@', '.', '\u200b', '5-', '👍'];
  for (const part of parts) {
    const text = part.repeat(20_000 / part.length);
    const start = process.cpuUsage();
    filtered(text);
    expect(process.cpuUsage(start).user / 1_000, JSON.stringify(part)).toBeLessThan(2_000);
  }
});
