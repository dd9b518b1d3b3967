import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conversationKey, isGroupKey, parseThreadId, regionOf } from '../../src/messages/conversationId.js';
import { sized } from '../support/size.js';

const key = (id: string, region = 'US') => conversationKey(id, region);
const digits = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((d) => d.join(''));

describe('every thread_id form of a direct conversation has one key', () => {
  const forms = [
    '+13105551234',
    'iMessage;-;+13105551234',
    'SMS;-;+13105551234',
    'RCS;-;+13105551234',
    'any;-;+13105551234',
    '(310) 555-1234',
    '310.555.1234',
    '13105551234',
    '+1 310 555 1234',
    '+1\u00a0(310)\u00a0555\u20111234',
    'tel:+13105551234',
    '  +13105551234 ',
  ];
  test.each(forms)('%s', (form) => {
    expect(key(form)).toBe('+13105551234');
  });

  test('reads national numbers by the region of the user, even where several regions share a code', () => {
    expect(key('07911 123456', regionOf('+447700900123'))).toBe('+447911123456');
    expect(key('0151 12345678', regionOf('+4915112345678'))).toBe('+4915112345678');
    expect(regionOf('+447700900123')).toBe('GB');
    expect(regionOf('+13105550100')).toBe('US');
    expect(regionOf('nonsense')).toBe('US');
  });

  test('lower-cases e-mail addresses', () => {
    expect(key('iMessage;-;User@Example.COM')).toBe('user@example.com');
    expect(key('mailto:A@b.c')).toBe(key('any;-;a@B.c'));
  });
});

describe('what is no phone number is unchanged', () => {
  test.each([
    ['787878', '787878'],
    ['SMS;-;12345', '12345'],
    ['SMS;-;AMAZON', 'AMAZON'],
    ['SMS;-;My Bank', 'My Bank'],
    ['any;-;urn:biz:0b9d1e2f-aaaa-4bbb-8ccc-123456789abc', 'urn:biz:0b9d1e2f-aaaa-4bbb-8ccc-123456789abc'],
    ['SMS;-;787878(smsft)', '787878(smsft)'],
    ['SMS;-;+13105551234(smsft_rm)', '+13105551234(smsft_rm)'],
    ['+999123456789', '+999123456789'],
    ['', ''],
    ['-', '-'],
  ])('%s → %s', (id, expected) => {
    expect(key(id)).toBe(expected);
  });

  test('a short code is a short code where five digits could be a number', () => {
    expect(key('12345', 'DE')).toBe('12345');
  });
});

describe('groups', () => {
  const hex = '3f0a9b7c5d1e4f2a8b6c0d9e7f5a3b1c';
  test.each(['chat123', 'iMessage;+;chat123', 'any;+;chat123', 'SMS;+;chat123'])('%s is chat123', (form) => {
    expect(key(form)).toBe('chat123');
    expect(isGroupKey(key(form))).toBe(true);
  });

  test('knows the bare hexadecimal and UUID names of macOS 26', () => {
    expect(key(`any;+;${hex}`)).toBe(hex);
    expect(isGroupKey(hex)).toBe(true);
    expect(isGroupKey('1B4E28BA-2FA1-11D2-883F-0016D3CCA427')).toBe(true);
  });

  test('never takes a person for a group, nor a group for a person', () => {
    for (const person of ['+13105551234', 'a@b.c', '787878', 'AMAZON', 'chatty', 'urn:biz:x']) {
      expect(isGroupKey(key(person))).toBe(false);
    }
    expect(key('iMessage;+;+13105551234')).not.toBe(key('+13105551234'));
    expect(isGroupKey(key('iMessage;+;+13105551234'))).toBe(true);
    expect(isGroupKey('any;-;chat123')).toBe(true);
  });

  test('splits a guid at its first two semicolons only', () => {
    expect(parseThreadId('iMessage;+;a;b')).toEqual({
      service: 'iMessage',
      kind: 'group',
      identifier: 'a;b',
    });
    expect(parseThreadId('AMAZON')).toEqual({ service: null, kind: 'unknown', identifier: 'AMAZON' });
  });
});

describe('properties', () => {
  test('the key of a key is the key, whatever the string and region', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc
        .tuple(fc.constantFrom('iMessage', 'SMS', 'any', ''), fc.constantFrom('+', '-'), fc.string())
        .map(([service, sign, rest]) => `${service};${sign};${rest}`),
      fc.string({ unit: fc.constantFrom(...'+0123456789 ()-') }),
    );
    fc.assert(
      fc.property(
        anything,
        fc.constantFrom('US', 'GB', 'DE', 'JP', 'GG', 'IT', 'MX', 'AR', 'xx'),
        (id, region) => {
          expect(key(key(id, region), region)).toBe(key(id, region));
        },
      ),
      { numRuns: sized(600, 6_000) },
    );
  });

  test('all forms of any North American number agree', () => {
    const number = fc.tuple(
      fc.integer({ min: 2, max: 9 }),
      digits(2),
      fc.integer({ min: 2, max: 9 }),
      digits(6),
    );
    fc.assert(
      fc.property(number, ([a, b, c, d]) => {
        const national = `${a}${b}${c}${d}`;
        const forms = [
          `+1${national}`,
          national,
          `1${national}`,
          `any;-;+1${national}`,
          `iMessage;-;${national}`,
        ];
        expect(new Set(forms.map((form) => key(form))).size).toBe(1);
      }),
    );
  });

  test('all forms of any group agree', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          digits(18).map((d) => `chat${d}`),
          fc.stringMatching(/^[0-9a-f]{32}$/),
        ),
        (identifier) => {
          const forms = [
            identifier,
            `iMessage;+;${identifier}`,
            `any;+;${identifier}`,
            `SMS;+;${identifier}`,
          ];
          expect(new Set(forms.map((form) => key(form)))).toEqual(new Set([identifier]));
        },
      ),
    );
  });
});
