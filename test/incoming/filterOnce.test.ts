import { expect, test } from 'vitest';
import { filterOnce, privacyFilter } from '../../src/incoming/privacy.js';

function counted() {
  const asked: string[] = [];
  const filter = filterOnce((text) => {
    asked.push(text);
    return { text: text.replaceAll('secret', '[email]'), fields: ['email'] };
  });
  return { asked, filter };
}

test('a message that is posted repeatedly is searched once', () => {
  const filter = privacyFilter(['phone'], 'US');
  const first = filter?.('call 310-555-1234');
  expect(first?.text).toBe('call [phone]');
  expect(filter?.('call 310-555-1234')).toBe(first);
});

test('old results are dropped, so that memory is bounded', () => {
  const { asked, filter } = counted();
  for (let round = 0; round < 3; round++) filter('first secret');
  expect(asked).toHaveLength(1);
  for (let n = 0; n < 10_000; n++) filter(`secret ${n}`);
  expect(filter('secret 9999').text).toBe('[email] 9999');
  expect(asked).toHaveLength(10_001);
  filter('first secret');
  expect(asked).toHaveLength(10_002);
});

test('a text larger than the cache is still filtered, and not kept', () => {
  const { asked, filter } = counted();
  const book = 'secret '.repeat(100_000);
  for (let round = 0; round < 2; round++) expect(filter(book).text).toMatch(/^\[email\] /);
  filter('secret');
  filter('secret');
  expect(asked.map((text) => text.length)).toEqual([700_000, 700_000, 6]);
});
