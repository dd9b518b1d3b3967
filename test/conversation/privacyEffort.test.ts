import { expect, test, vi } from 'vitest';
import { privacyFilter } from '../../src/conversation/privacy.js';
import { MOST_EFFORT } from '../../src/conversation/privacyDetectors.js';

const searched = vi.hoisted(() => ({ characters: 0 }));

/** The real library, and a count of what it is given. */
vi.mock(import('libphonenumber-js/min'), async (original) => {
  const library = await original();
  const find = library.findPhoneNumbersInText as (text: string, ...rest: unknown[]) => unknown;
  const counting = (text: string, ...rest: unknown[]) => {
    searched.characters += text.length;
    return find(text, ...rest);
  };
  return { ...library, findPhoneNumbersInText: counting as typeof library.findPhoneNumbersInText };
});

const filter = privacyFilter(['phone'], 'US');

function work(text: string) {
  searched.characters = 0;
  const filtered = filter?.(text);
  return { text: filtered?.text ?? '', characters: searched.characters };
}

test.each([
  '123 456 ',
  '1234567890',
  '310-555-1234, ',
  '+1 ',
  '(12) ',
  '$12.50 ',
  '2026-01-02 12:30, ',
  '1\u200b2 ',
])(
  'however a text of 100 kB is made, no more than its share is searched, and the number at its end is gone: %j',
  (part) => {
    const { text, characters } = work(`${part.repeat(100_000 / part.length)} or call 310-555-9876`);
    expect(characters).toBeLessThanOrEqual(MOST_EFFORT);
    expect(text).not.toContain('555-9876');
    expect(filter?.(text)).toEqual({ text, fields: [] });
  },
);

test('a long text as people write them is searched with care to its end', () => {
  const line = 'On 2026-01-02 at 12:30 we ordered 3 items for $1,299.50, order 20261120-0042. ';
  const { text, characters } = work(`${line.repeat(60)}Call 310-555-9876.`);
  expect(text).toBe(`${line.repeat(60)}Call [phone].`);
  expect(characters).toBeGreaterThan(1_000);
});
