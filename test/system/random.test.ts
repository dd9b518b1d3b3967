import { expect, test } from 'vitest';
import { randomHex } from '../../src/system/random.js';

test('what is drawn ahead is given once, and in full', () => {
  const given = Array.from({ length: 1_000 }, () => randomHex(6));
  expect(new Set(given).size).toBe(1_000);
  expect([...given, randomHex(1_500)].map((hex) => hex.length)).toEqual([...given.map(() => 12), 3_000]);
});
