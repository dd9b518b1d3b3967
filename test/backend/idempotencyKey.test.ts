import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idempotencyKey } from '../../src/backend/HttpClient.js';

test.each([
  ['GUID-1', 'GUID-1'],
  ['a b/é😀', 'a%20b%2F%C3%A9%F0%9F%98%80'],
  ['\ud800', '%ED%A0%80'],
  ['a\udfffb', 'a%ED%BF%BFb'],
  ['\udc00\ud800', '%ED%B0%80%ED%A0%80'],
])('the key of %j is %s', (guid, key) => {
  expect(idempotencyKey(guid)).toBe(key);
});

test('whatever the guid, its key is a valid header value that no other guid has', () => {
  const guid = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
    .map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(guid, guid, (one, other) => {
      expect(idempotencyKey(one)).toMatch(/^[\x21-\x7e]*$/);
      expect(idempotencyKey(one) === idempotencyKey(other)).toBe(one === other);
    }),
    { seed: 1310, numRuns: 2_000 },
  );
});
