import { expect, test } from 'vitest';
import { privacyFilter, takenOut } from '../../src/incoming/privacy.js';
import { MOST_EFFORT } from '../../src/incoming/privacyDetectors.js';

const filter = privacyFilter(['phone'], 'US');

/** What is left of a text, and how many of its characters the library for phone numbers has looked at. */
function work(text: string) {
  const effort = { left: MOST_EFFORT, known: new Map() };
  const { text: left } = takenOut(text, ['phone'], 'US', effort);
  return { text: left, characters: MOST_EFFORT - effort.left };
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
  'whatever the form of a text of 100 kB, no more than its share is searched, and the number at its end is removed: %j',
  (part) => {
    const { text, characters } = work(`${part.repeat(100_000 / part.length)} or call 310-555-9876`);
    expect(characters).toBeLessThanOrEqual(MOST_EFFORT);
    expect(text).not.toContain('555-9876');
    expect(text).toBe(filter?.(`${part.repeat(100_000 / part.length)} or call 310-555-9876`).text);
    expect(filter?.(text)).toEqual({ text, fields: [] });
  },
);

test('a long ordinary text is searched carefully to its end', () => {
  const lines = Array.from(
    { length: 60 },
    (_, number) =>
      `On 2026-01-02 at 12:30 we ordered 3 items for $1,299.50, order 20261120-${1000 + number}. `,
  ).join('');
  const { text, characters } = work(`${lines}Call 310-555-9876.`);
  expect(text).toBe(`${lines}Call [phone].`);
  expect(characters).toBeGreaterThan(1_000);
});
