import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NewestEvents } from '../../src/logging/NewestEvents.js';
import { parseLine } from '../../src/logging/parseLine.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const line = (level: string, words: string) => `[2026-01-01T00:00:00.000Z] [${level}] ${words}`;

function log(lines: readonly string[]) {
  const path = join(temporaryDirectory(), 'a.log');
  writeFileSync(path, lines.map((text) => `${text}\n`).join(''));
  return { path, newest: new NewestEvents(path) };
}

test('the newest lines are read from the end, and debug lines and stacks are not among them', () => {
  const { newest } = log([
    ...Array(20_000).fill(line('INFO', 'old id=7')),
    ...[line('DEBUG', 'a text'), '    at stack', line('WARN', 'new id=7')],
  ]);
  const events = newest.read('info', 3);
  expect(events.map(({ message }) => message)).toEqual(['old', 'old', 'new']);
  expect(events.at(-1)).toMatchObject({ level: 'warn', fields: { id: '7' } });
  expect(new NewestEvents('/nowhere/a.log').read('info', 3)).toEqual([]);
});

test('no line is lost or broken where a block of the file begins, even within a character', () => {
  const lines = Array.from({ length: 3_000 }, (_, index) =>
    line('INFO', `${'é👗'.repeat(index % 40)} ${index}`),
  );
  const { path, newest } = log(lines);
  expect(readFileSync(path).length).toBeLessThan(512 * 1024);
  const read = newest.read('info', 10_000);
  expect(read.map(({ message }) => message)).toEqual(lines.map((text) => parseLine(text)?.message));
});

test('of a large file only the end is read, and a partial line is not shown', () => {
  const long = line('INFO', 'x'.repeat(100_000));
  const { newest } = log(Array(20).fill(long));
  expect(newest.read('info', 500)).toHaveLength(5);
});

test('an unchanged file is not read again, one that grew or was replaced is', () => {
  const { path, newest } = log([line('ERROR', 'first')]);
  const first = newest.read('error', 10);
  expect(newest.read('error', 10)).toBe(first);
  expect(newest.read('error', 9)).not.toBe(first);
  appendFileSync(path, `${line('ERROR', 'second')}\n`);
  expect(newest.read('error', 10).map(({ message }) => message)).toEqual(['first', 'second']);
  writeFileSync(`${path}.new`, `${line('ERROR', 'other')}\n`);
  renameSync(`${path}.new`, path);
  expect(newest.read('error', 10).map(({ message }) => message)).toEqual(['other']);
});

test('a line of an unwanted level is not parsed', () => {
  expect(parseLine(line('DEBUG', 'a text id=7'), new Set(['error']))).toBeUndefined();
  expect(parseLine('{"time":"2026-01-01T00:00:00Z","level":"debug","msg":"m"}', new Set(['error']))).toBe(
    undefined,
  );
});
