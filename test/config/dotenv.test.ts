import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDotenv } from '../../src/config/dotenv.js';

const values = (text: string) =>
  Object.fromEntries([...parseDotenv(text).entries].map(([name, entry]) => [name, entry.value]));

test.each([
  ['A=1', '1'],
  ['export A=1', '1'],
  ['  A = 1  ', '1'],
  ['A=', ''],
  ['A=a b # comment', 'a b'],
  ['A=a#b', 'a#b'],
  ['A=# comment', ''],
  ["A='a # \\n $HOME'", 'a # \\n $HOME'],
  ['A="a\\nb \\"c\\" \\\\ \\$ \\x"', 'a\nb "c" \\ $ \\x'],
  ['A="a" # comment', 'a'],
  ['A=" a "', ' a '],
  ['A=$HOME', '$HOME'],
  ['A=a=b==', 'a=b=='],
  ['\uFEFFA=1', '1'],
  ['A=1\r\nB=2\r\n', '1'],
])('%j gives A = %j', (text, value) => {
  expect(values(text).A).toBe(value);
  expect(parseDotenv(text).problems).toEqual([]);
});

test.each(['A', 'A: 1', '1A=2', 'A B=1', 'A="x', "A='x", 'A="x" y', '=1', 'A-B=1'])(
  '%j is skipped, and its line reported',
  (text) => {
    const { entries, problems } = parseDotenv(`\n# comment\n${text}\nZ=1`);
    expect([...entries]).toEqual([['Z', { value: '1', line: 4 }]]);
    expect(problems).toMatchObject([{ line: 3 }]);
  },
);

test('the last of two equal names wins and is reported', () => {
  const { entries, problems } = parseDotenv('A=1\nA=2');
  expect(entries.get('A')).toEqual({ value: '2', line: 2 });
  expect(problems).toEqual([{ line: 2, problem: expect.stringContaining('line 1') }]);
});

test('any one-line value survives single quotes', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/['\n\r]/.test(value));
  fc.assert(
    fc.property(text, (value) => {
      expect(values(`A='${value}'`).A).toBe(value);
    }),
    { examples: [['\u2028'], ['\u2029']] },
  );
});
