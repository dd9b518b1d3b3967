import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonPieces } from '../../src/system/jsonShape.js';

/** The pieces of a value by walking it: objects and lists, and what separates their items. */
function piecesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const items = Object.values(value);
  return 1 + Math.max(items.length - 1, 0) + items.reduce((sum: number, item) => sum + piecesOf(item), 0);
}

test('the elements of any JSON are counted before it is parsed, wherever its text is cut', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (value, size) => {
      const text = JSON.stringify(value);
      const pieces = new JsonPieces();
      for (let at = 0; at < text.length; at += size) pieces.add(text.slice(at, at + size));
      expect(pieces.count).toBe(piecesOf(value));
    }),
  );
});

test('brackets, commas and escaped quotes in texts do not count', () => {
  expect(new JsonPieces().add('{"a[,{":"\\",[[\\\\",\n"b":"\\u0022,"}').count).toBe(2);
});
