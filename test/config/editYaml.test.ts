import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { yamlWith } from '../../src/config/editYaml.js';
import { SETTINGS } from '../../src/config/settings.js';

const shipped = readFileSync(new URL('../../config.yaml', import.meta.url), 'utf8');

const set = (source: string, key: string, value: unknown) => yamlWith(source, new Map([[key, value]]));

describe('a setting of a configuration file', () => {
  test.for<[string, string, string, unknown, string]>([
    ['in its place', 'edge:\n  a: 1 # mine\n', 'edge.a', 2, 'edge:\n  a: 2 # mine\n'],
    ['in quotes where YAML needs them', 'edge:\n  a: x\n', 'edge.a', '+1310', 'edge:\n  a: "+1310"\n'],
    ['in braces', 'edge: { a: x, b: y }\n', 'edge.a', 'z', 'edge: { a: "z", b: y }\n'],
    ['that braces lack', 'edge: { b: y }\n', 'edge.a', 'z', 'edge: { a: "z", b: y }\n'],
    ['that empty braces lack', 'edge: {}\n', 'edge.a', 1, 'edge: { a: 1 }\n'],
    [
      'in a file that is one pair of braces',
      '{ b: { c: 1 } }\n',
      'edge.a',
      1,
      '{ edge: { a: 1 }, b: { c: 1 } }\n',
    ],
    ['without a value', 'edge:\n  a: # none yet\n', 'edge.a', 1, 'edge:\n  a: 1 # none yet\n'],
    [
      'behind its default',
      'edge:\n  # b\n  # a: 3\n\nx:\n  y: 1\n',
      'edge.a',
      4,
      'edge:\n  # b\n  # a: 3\n  a: 4\n\nx:\n  y: 1\n',
    ],
    [
      'first in its section',
      'edge: # s\n    # of b\n    b: 1\n',
      'edge.a',
      4,
      'edge: # s\n    a: 4\n    # of b\n    b: 1\n',
    ],
    ['in a section of its own', 'x:\n  y: 1', 'edge.a', 4, 'x:\n  y: 1\nedge:\n  a: 4\n'],
    ['in a file of comments', '# mine\n', 'edge.a', 4, '# mine\nedge:\n  a: 4\n'],
    [
      'as a list',
      'edge:\n  a:\n    - x\n    - y\n  b: 1\n',
      'edge.a',
      ['z', '+1'],
      'edge:\n  a:\n    - "z"\n    - "+1"\n  b: 1\n',
    ],
    ['as an empty list', 'edge:\n  a: [x] # l\n', 'edge.a', [], 'edge:\n  a: [] # l\n'],
    ['of several lines', 'edge:\n  a: |\n    x\n    y\n  b: 1\n', 'edge.a', 'z', 'edge:\n  a: z\n  b: 1\n'],
    ['in a file of Windows', 'edge:\r\n  b: 1\r\n', 'edge.a', 4, 'edge:\r\n  a: 4\r\n  b: 1\r\n'],
  ])('%s', ([, before, key, value, after]) => {
    expect(set(before, key, value)).toBe(after);
  });

  test.for([
    ['edge:\n  a: &n 1\n  b: *n\n', 'edge.a'],
    ['edge:\n  a:\n    - x # Jane\n    - y\n', 'edge.a'],
    ['edge: 4\n', 'edge.a'],
    ['- edge\n', 'edge.a'],
    ['edge: {\n', 'edge.a'],
    ['one: &o { a: 1 }\nedge: *o\n', 'edge.a'],
  ] as const)(
    'is left to the user where another would change with it, or a comment be lost: %j',
    ([source, key]) => {
      expect(() => set(source, key, 7)).toThrow('cannot be changed without changing other settings');
    },
  );
});

test('whatever is set in whatever configuration, every other value, every comment and the order stay', () => {
  const other = fc.constantFrom<string>(...SETTINGS.map(({ key }) => key));
  const value = fc.oneof(
    fc.integer({ min: 0, max: 99 }),
    fc.boolean(),
    fc.string({ unit: 'binary-ascii', maxLength: 12 }),
    fc.constantFrom('+13105550100', 'null', '~', 'off', '1e3', '# x', 'a: b', '', '*x'),
    fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 6 }), { maxLength: 3 }),
  );
  const changes = fc.uniqueArray(fc.tuple(other, value), { selector: ([key]) => key, maxLength: 5 });
  const comments = (text: string) => text.split('\n').filter((line) => /^\s*#/.test(line));
  const flat = (text: string) =>
    Object.entries(parse(text) as Record<string, Record<string, unknown> | null>).flatMap(
      ([section, values]) =>
        Object.entries(values ?? {}).map(([name, given]) => [`${section}.${name}`, given] as const),
    );
  fc.assert(
    fc.property(changes, changes, (first, second) => {
      const before = yamlWith(shipped, new Map(first));
      const after = yamlWith(before, new Map(second));
      expect(comments(after)).toEqual(comments(shipped));
      const asked = new Map(second);
      const kept = (text: string) => flat(text).filter(([key]) => !asked.has(key));
      expect(kept(after)).toEqual(kept(before));
      for (const [key, wanted] of second)
        expect(new Map<string, unknown>(flat(after)).get(key)).toEqual(wanted);
    }),
    { numRuns: 50 },
  );
});
