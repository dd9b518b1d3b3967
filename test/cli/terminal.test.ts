import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryLines, padded, paint, printable, table, terminalOf, wrap } from '../../src/cli/terminal.js';
import { anyText } from '../support/anyText.js';

const tty = { isTTY: true, columns: 100 } as const;
const pipe = { isTTY: false, columns: 0 } as const;

test.each([
  [{ LANG: 'C' }, false],
  [{ LANG: 'en_US.ISO-8859-1' }, false],
  [{ LANG: 'en_US.UTF-8' }, true],
  [{ LANG: 'C.utf8' }, true],
  [{ LANG: 'en_US.UTF-8', LC_ALL: 'POSIX' }, false],
  [{ LANG: 'C', LC_CTYPE: 'UTF-8' }, true],
  [{}, true],
])('%j: characters beyond ASCII are shown: %s', (env, unicode) => {
  expect(terminalOf(tty, env).unicode).toBe(unicode);
});

test.each([
  [tty, {}, true],
  [tty, { NO_COLOR: '1' }, false],
  [tty, { NO_COLOR: '' }, true],
  [tty, { TERM: 'dumb' }, false],
  [pipe, {}, false],
])('colours: %j %j: %s', (stream, env, colour) => {
  expect(terminalOf(stream, env).colour).toBe(colour);
});

test('a pipe is 80 columns wide, and no terminal is too narrow to write to', () => {
  expect(terminalOf(pipe, {}).columns).toBe(80);
  expect(terminalOf({ isTTY: true, columns: 3 }, {}).columns).toBe(40);
});

test('words are wrapped, and one that is too long stays in one piece', () => {
  expect(wrap('one two three', 9, '> ', '  ')).toEqual(['> one two', '  three']);
  expect(wrap('https://a.very/long one', 9, '', ' ')).toEqual(['https://a.very/long', ' one']);
  expect(wrap('', 9, '> ', '')).toEqual(['> ']);
});

test('an entry of a list is one line when piped, and fits a terminal', () => {
  const text = 'one two three';
  expect(entryLines(text, { isTerminal: false, columns: 9 })).toEqual([text]);
  expect(entryLines(text, { isTerminal: true, columns: 9 })).toEqual(['one two', '    three']);
});

test.each([
  ['CJK', '测试 测试 测试', 9, ['测试 测试', '测试']],
  ['emoji', '👩‍👩‍👧 🙂 🫠 ok', 5, ['👩‍👩‍👧 🙂', '🫠 ok']],
  ['combining marks', 'e\u0301e\u0301 e\u0301e\u0301', 5, ['e\u0301e\u0301 e\u0301e\u0301']],
])('a line with %s is as wide as a terminal shows it', (_, text, columns, lines) => {
  expect(wrap(text, columns, '', '')).toEqual(lines);
});

test('a colour that begins before a line is cut ends with it', () => {
  const painted = paint({ colour: true }, 'red', 'abcdef');
  expect(printable(painted, { colour: true, unicode: true }, 4)).toBe('\u001b[31mabcd\u001b[39m');
});

test('the columns of a table are aligned, whatever is in them', () => {
  const red = paint({ colour: true }, 'red', 'x');
  expect(
    table([
      ['测试', 'a', 'b'],
      ['🫠', red, 'c'],
      ['name', 'cell', ''],
    ]),
  ).toEqual(['测试  a     b', `🫠    ${red}     c`, 'name  cell']);
});

test.each([
  ['测试', '测试  '],
  ['e\u0301', 'e\u0301     '],
  ['wider than that', 'wider than that'],
])(
  'a cell of six columns, as in config show, is padded by the width that %j has at a terminal',
  (cell, shown) => {
    expect(padded(cell, 6)).toBe(shown);
  },
);

describe('what is printed', () => {
  const colours = { colour: true, unicode: true };

  test.each([
    ['an escape sequence', '\u001b[2J\u001b[1;1Hgone', '\\u001b[2J\\u001b[1;1Hgone'],
    ['the title of a window', '\u001b]0;root@bank\u0007', '\\u001b]0;root@bank\\u0007'],
    ['C1 controls', '\u009b31m\u0090q\u009c', '\\u009b31m\\u0090q\\u009c'],
    ['a second line', 'ok\n2026-01-01 healthy', 'ok\\n2026-01-01 healthy'],
    ['a line that is written over', 'failed\rhealthy', 'failed\\rhealthy'],
    ['Unicode line separators', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['text that runs backwards', 'txt.\u202eexe\u2066\u200f', 'txt.\\u202eexe\\u2066\\u200f'],
    ['backspaces', 'no\b\byes', 'no\\u0008\\u0008yes'],
    ['what everybody may write', 'é “q” 👩‍👩‍👧 مرحبا\tx', 'é “q” 👩‍👩‍👧 مرحبا\tx'],
  ])('shows %s without executing it', (_, text, shown) => {
    expect(printable(text, colours)).toBe(shown);
  });

  test('has the agent’s own colours and no others', () => {
    const line = paint(colours, 'green', 'PASS \u001b[31mFAIL');
    expect(printable(line, colours)).toBe('\u001b[32mPASS \\u001b[31mFAIL\u001b[39m');
    expect(printable(line, { ...colours, colour: false })).toBe('PASS \\u001b[31mFAIL');
    expect(wrap(paint(colours, 'dim', 'ab cd'), 5, '', '')).toHaveLength(1);
  });

  test('holds no control character, whatever is in the text', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        expect(printable(text, { colour: false, unicode: true })).not.toMatch(/[^\P{Cc}\t]|[\u2028-\u202e]/u);
        expect(printable(text, { colour: false, unicode: false })).toMatch(/^[\t\x20-\x7e]*$/);
      }),
      { seed: 13_09, numRuns: 500 },
    );
  });
});
