import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { selftestChecks } from '../../src/selftest/selftestChecks.js';
import { page, ROOT, tableUnder } from './page.js';

const text = page('docs/macos.md');
const headings = [...text.matchAll(/^## (.+)$/gm)].map(([heading]) => heading);
const rows = headings.flatMap((heading) => tableUnder(heading, text));
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
const ids = selftestChecks().map(({ id }) => id);

test('every assumption has a source, a place in the code that exists, and a check that exists or an honest dash', () => {
  expect(rows.length).toBeGreaterThan(25);
  for (const [assumption = '', source = '', places = '', checks = ''] of rows) {
    expect(source, assumption).not.toBe('');
    expect(quoted(places), assumption).not.toEqual([]);
    for (const path of quoted(places)) expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(checks === '–' || quoted(checks).length > 0, assumption).toBe(true);
    for (const id of quoted(checks)) expect(ids).toContain(id);
  }
});

test('every check proves something that is listed', () => {
  const named = new Set(rows.flatMap(([, , , checks = '']) => quoted(checks)));
  expect(ids.filter((id) => !named.has(id))).toEqual([]);
});

test('no check has the id of another, and each says in words what it proves', () => {
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, title } of selftestChecks()) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(title).not.toBe('');
  }
});
