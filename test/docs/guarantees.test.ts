import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { page, ROOT, tableUnder } from './page.js';

const text = page('docs/guarantees.md');
const rows = tableUnder('## What goes wrong elsewhere', text);
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

test('each of the 25 complaints says what the agent does, and which tests show it', () => {
  expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  for (const [, complaint = '', answer = '', tests = ''] of rows) {
    expect(answer, complaint).not.toBe('');
    expect(quoted(tests), complaint).not.toEqual([]);
    for (const path of quoted(tests)) {
      expect(path).toMatch(/^test\/.+\.ts$/);
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
  }
});

test('a named test is one that runs: a test file, or facts that one runs', () => {
  const facts = readFileSync(join(ROOT, 'test/messages/facts.test.ts'), 'utf8');
  for (const path of rows.flatMap(([, , , tests = '']) => quoted(tests))) {
    const fact = /^test\/messages\/facts\/(\w+)\.ts$/.exec(path)?.[1];
    if (fact === undefined) expect(path).toMatch(/\.test\.ts$/);
    else expect(facts).toContain(`'./facts/${fact}.js'`);
  }
});
