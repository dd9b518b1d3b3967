import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPlainYaml } from '../../src/config/plainYaml.js';
import { readYaml } from '../../src/config/yamlFile.js';
import { sized } from '../support/size.js';

/** What the parser says of state.directory; a complaint where it cannot read the file. */
function byParser(text: string): unknown {
  const file = readYaml(text);
  if (!file.complete) return 'cannot be read';
  return file.entries.find(({ path }) => path.join('\0') === 'state\0directory')?.text ?? undefined;
}

const shipped = readFileSync(join(import.meta.dirname, '../../config.yaml'), 'utf8');

/** Pieces of lines that are nearly of the plain form, so that many files are answered and many just not. */
const value = fc.oneof(
  fc.constantFrom(
    '/abs/s',
    '~/s',
    '~',
    '"quoted # s"',
    "'single'",
    '[]',
    'null',
    '12',
    '0x1f',
    'a b',
    'a  b',
    'a: b',
    'a:b',
    'https://x.y:8/z?a=b&c',
    'a #c',
    'a#c',
    '"a\\u0041"',
    "'it''s'",
    '|',
    '>',
    '&a x',
    '*a',
    '!!str x',
    '{a: 1}',
    '- x',
    '-',
    '-5',
    '@x',
    '/p: q',
    '/p:',
    '~/Library/Application Support/edge-agent',
    '2026-01-01',
    '"',
    '/a,b',
    '(x)',
    '.',
    '+1',
  ),
  fc.string({ maxLength: 8 }),
);
const RUNS = sized(4_000, 40_000);

const comment = fc.constantFrom('', '', '', ' # c', '   # "c', '# c', ' #', '\t# c', ' ');
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('state', 'state', 'edge', 'a_b', '"state"', '? state', '<<'), comment)
      .map(([key, end]) => `${key}:${end}`),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('  ', '  ', '  ', ' ', '    ', '\t'),
        fc.constantFrom('directory', 'directory', 'url', 'x'),
        fc.constantFrom(' ', ' ', '  ', ''),
        value,
        comment,
      )
      .map(([indent, key, gap, text, end]) => `${indent}${key}:${gap}${text}${end}`),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('    - ', '  - ', '    -', '      - '), value, comment)
      .map((parts) => parts.join('')),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '',
      '  ',
      '# state:',
      '  # directory: /x',
      '---',
      '...',
      '%YAML 1.2',
      '\t',
      'x',
      '  x:',
      '  directory:',
      '#\u00e9',
      '\ufeff',
      'a: "',
      '"',
    ),
  },
);
const file = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\n', '\n', '\r\n', '\r'))
  .map(([lines, end]) => lines.join(end));

test('whatever it answers, the YAML parser says the same', () => {
  let answered = 0;
  fc.assert(
    fc.property(file, (text) => {
      const plain = readPlainYaml(text);
      if (plain === undefined) return;
      answered += 1;
      expect(plain.stateDirectory).toBe(byParser(text));
    }),
    { numRuns: RUNS },
  );
  expect(answered).toBeGreaterThan(RUNS / 20);
});

test('the shipped file is one that it reads, with every setting written out too', () => {
  expect(readPlainYaml(shipped)).toEqual({ stateDirectory: undefined });
  const uncommented = shipped.replaceAll(/^ {2}# (?=[a-z_]+: )/gm, '  ');
  const path = '~/Library/Application Support/edge-agent';
  expect(readPlainYaml(uncommented)).toEqual({ stateDirectory: path });
  expect(byParser(uncommented)).toBe(path);
});

test.each([
  ['state:\n  directory: /var/agent', '/var/agent'],
  ['state: # here\n\n  # there\n  directory: "a b"  # quoted\n', 'a b'],
  ["forward:\n  ignore:\n    - '+1310'\n    - jane@example.com\nstate:\n  directory: '/s'\n", '/s'],
])('%j is read without the parser', (text, directory) => {
  expect(readPlainYaml(text)).toEqual({ stateDirectory: directory });
});

test.each([
  'state: { directory: /s }',
  'state:\n    directory: /s',
  'state:\n  directory: 5',
  'state:\n  directory: null',
  'state:\n  directory:',
  'state:\n  directory: "\\x41"',
  'state:\n  directory: &d /s',
  'state:\n  directory: /s\n    and more',
  'state:\n  directory: /s\nstate:\n  directory: /t',
  'note: |\n  directory: /s',
  '"state":\n  directory: /s',
  '---\nstate:\n  directory: /s',
  'state:\r\n  directory: /s',
  'other: "\nstate:\n  directory: /s\n"',
])('%j is left to the parser', (text) => {
  expect(readPlainYaml(text)).toBeUndefined();
});
