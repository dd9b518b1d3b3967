import fc from 'fast-check';
import type { CountryCode } from 'libphonenumber-js';
import examples from 'libphonenumber-js/examples.mobile.json' with { type: 'json' };
import { parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, conversationKey } from '../../src/messages/conversationId.js';
import { sized } from '../support/size.js';

/** Printed with a failure; the same numbers every time. */
const SEED = 20261129;

describe('a number that lacks its plus is the same person as with it', () => {
  test.each([
    ['447967960994', 'US', '+447967960994'],
    ['4915112345678', 'US', '+4915112345678'],
    ['00447967960994', 'US', '+447967960994'],
    ['33612345678', 'GB', '+33612345678'],
    ['8613812345678', 'US', '+8613812345678'],
    ['919812345678', 'JP', '+919812345678'],
    ['5511987654321', 'GB', '+5511987654321'],
    ['393331234567', 'US', '+393331234567'],
    ['13105551234', 'US', '+13105551234'],
    ['13105551234', 'GB', '+13105551234'],
    ['447967960994', 'GB', '+447967960994'],
    ['any;-;447967960994', 'US', '+447967960994'],
    ['SMS;-;00 44 7967 960994', 'FR', '+447967960994'],
  ])('%s in %s is %s', (written, region, expected) => {
    expect(conversationKey(written, region)).toBe(expected);
  });
});

describe('a number dialled with an international prefix', () => {
  test.each([
    ['011 44 7967 960994', 'US'],
    ['0044 7967 960994', 'GB'],
    ['0044 7967 960994', 'US'],
    ['010 44 7967 960994', 'JP'],
    ['0011 44 7967 960994', 'AU'],
    ['011447967960994', 'FR'],
    ['+0044 7967 960994', 'US'],
  ])('%s in %s', (written, region) => {
    expect(conversationKey(written, region)).toBe('+447967960994');
  });
});

describe('a number of the user’s own region takes precedence over the one with a plus', () => {
  test.each([
    ['3105551234', 'US', '+13105551234'],
    ['4479679609', 'US', '+14479679609'],
    ['8803000000', 'US', '+18803000000'],
    ['15112345678', 'DE', '+4915112345678'],
    ['0151 12345678', 'DE', '+4915112345678'],
    ['07967 960994', 'GB', '+447967960994'],
    ['8 912 345-67-89', 'RU', '+79123456789'],
    ['9123456789', 'RU', '+79123456789'],
    ['3331234567', 'IT', '+393331234567'],
    ['06 12345678', 'IT', '+390612345678'],
  ])('%s in %s is %s', (written, region, expected) => {
    expect(conversationKey(written, region)).toBe(expected);
  });
});

describe('however a number is written', () => {
  test.each([
    ['+44 (0)7967 960994', '+447967960994'],
    ['(+44) 7967 960994', '+447967960994'],
    ['+1 (0) 310 555 1234', '+13105551234'],
    ['+39 (0)6 12345678', '+390612345678'],
    ['+7 (8) 912 345-67-89', '+79123456789'],
    ['\u202a+1\u00a0310\u00a0555\u20111234\u202c', '+13105551234'],
    ['＋１（３１０）５５５－１２３４', '+13105551234'],
    ['+\u0661\u0663\u0661\u0660\u0665\u0665\u0665\u0661\u0662\u0663\u0664', '+13105551234'],
    ['\u06f1\u06f3\u06f1\u06f0\u06f5\u06f5\u06f5\u06f1\u06f2\u06f3\u06f4', '+13105551234'],
    [
      '\u096f\u0967 98123 45678'.replace(
        '98123 45678',
        '\u096f\u096e\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e',
      ),
      '+919812345678',
    ],
    ['tel:+1-310-555-1234', '+13105551234'],
    ['TEL:%2B13105551234', '+13105551234'],
    ['tel:555-1234;phone-context=+1310', '+13105551234'],
    ['tel:+13105551234;isub=7', '+13105551234'],
    ['sms:+13105551234?body=hi', '+13105551234'],
  ])('%s is %s', (written, expected) => {
    expect(conversationKey(written, 'US')).toBe(expected);
  });
});

describe('what cannot be a phone number is unchanged', () => {
  test.each([
    ['787878', '787878'],
    ['690-7290', '6907290'],
    ['12345678901234567890', '12345678901234567890'],
    ['+1 310 555 1234 x12', '+1 310 555 1234 x12'],
    ['tel:+13105551234;ext=12', '+13105551234;ext=12'],
    ['AMAZON', 'AMAZON'],
    ['4U2', '4U2'],
    ['①②③④⑤⑥⑦⑧⑨⑩', '①②③④⑤⑥⑦⑧⑨⑩'],
    ['1'.repeat(5_000), '1'.repeat(5_000)],
  ])('%s', (written, expected) => {
    expect(conversationKey(written, 'US')).toBe(expected);
  });

  test.each([
    ['  Ann.Lee+Shop@Example.COM ', 'ann.lee+shop@example.com'],
    ['mailto:Ann@Example.com?subject=hi', 'ann@example.com'],
    ['iMessage;-;ANN@EXAMPLE.COM', 'ann@example.com'],
  ])('%s', (written, expected) => {
    expect(conversationKey(written, 'US')).toBe(expected);
  });

  test('a tag behind a plus is part of the address: it may be another person', () => {
    expect(conversationKey('ann+shop@example.com', 'US')).not.toBe(conversationKey('ann@example.com', 'US'));
  });

  test.each(['any;-;a;+;b', 'any;-;tel:a;+;b', 'x;+;a;-;b', 'any;-;tel:tel:+13105551234', 'tel:chat12'])(
    'the key of %s is a name of the same conversation',
    (written) => {
      const key = conversationKey(written, 'US');
      expect(conversationKey(key, 'US')).toBe(key);
    },
  );
});

/** Numbers that begin like the example of their region and end in any way, as they are valid. */
const validNumber = fc
  .tuple(
    fc.constantFrom(...(Object.keys(examples) as CountryCode[])),
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 4, maxLength: 4 }),
  )
  .map(([country, end]) => {
    const example = parsePhoneNumberFromString(examples[country], country)?.number ?? '';
    return `${example.slice(0, -4)}${end.join('')}`;
  })
  .filter((number) => parsePhoneNumberFromString(number)?.isValid() === true);
const region = fc.constantFrom<CountryCode>(
  'US',
  'CA',
  'GB',
  'DE',
  'FR',
  'IT',
  'JP',
  'AU',
  'RU',
  'BR',
  'IN',
  'MX',
);

describe('properties', () => {
  test('with and without plus, or with an international prefix, it is one person, unless it is a number of the user’s region', () => {
    fc.assert(
      fc.property(validNumber, region, (number, here) => {
        const digits = number.slice(1);
        const local = parsePhoneNumberFromString(digits, here);
        const key = conversationKey(number, here);
        const isNational = local?.isValid() === true || local?.number === conversationKey(digits, here);
        // Seven digits could be dialled by the neighbours alone.
        if (!isNational && digits.length > 7) expect(conversationKey(digits, here)).toBe(key);
        for (const prefix of ['00', '011']) {
          const dialled = `${prefix}${digits}`;
          const isHere = parsePhoneNumberFromString(dialled, here)?.isValid() === true;
          if (!isHere) expect(conversationKey(dialled, here)).toBe(key);
        }
      }),
      { numRuns: sized(1_500, 20_000), seed: SEED },
    );
  });

  test('the key of a key is the key, in whatever script and with whatever marks it was written', () => {
    const zero = fc.constantFrom(0x30, 0x660, 0x6f0, 0x966, 0xff10, 0x1d7ce, 0x1d7d8);
    const written = fc
      .tuple(
        fc.constantFrom('', '+', '00', '011', '(', 'tel:', '\u202a+', '＋'),
        zero,
        fc.string({ unit: fc.constantFrom(...'0123456789 ()-./;'), maxLength: 20 }),
      )
      .map(
        ([front, zeroAt, rest]) =>
          `${front}${rest.replaceAll(/\d/g, (digit) => String.fromCodePoint(zeroAt + Number(digit)))}`,
      );
    fc.assert(
      fc.property(written, region, (text, here) => {
        for (const key of [conversationKey(text, here), canonicalAddress(text, here)])
          expect(conversationKey(conversationKey(key, here), here)).toBe(conversationKey(key, here));
        const key = conversationKey(text, here);
        expect(conversationKey(key, here)).toBe(key);
      }),
      { numRuns: sized(2_000, 30_000), seed: SEED },
    );
  });
});
