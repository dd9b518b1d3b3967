import { expect, test } from 'vitest';
import { entryLines, terminalOf, wrap } from '../../src/cli/terminal.js';

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

test('words are wrapped, and one that is too long stays whole', () => {
  expect(wrap('one two three', 9, '> ', '  ')).toEqual(['> one two', '  three']);
  expect(wrap('https://a.very/long one', 9, '', ' ')).toEqual(['https://a.very/long', ' one']);
  expect(wrap('', 9, '> ', '')).toEqual(['> ']);
});

test('an entry of a list is one line for a program, and fits the terminal for a person', () => {
  const text = 'one two three';
  expect(entryLines(text, { isTerminal: false, columns: 9 })).toEqual([text]);
  expect(entryLines(text, { isTerminal: true, columns: 9 })).toEqual(['one two', '    three']);
});
