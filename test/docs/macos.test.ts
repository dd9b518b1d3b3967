import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { selftestChecks } from '../../src/diagnostics/selftest/selftestChecks.js';
import { ASSUMPTIONS, chatDbForms } from '../../src/diagnostics/selftest/survey/chatDbForms.js';
import { page, ROOT, tableUnder } from './page.js';

const text = page('docs/macos.md');
const headings = [...text.matchAll(/^## (.+)$/gm)].map(([heading]) => heading);
const SURVEYED = '## What `chatdb-forms` tests';
const rows = headings
  .filter((heading) => heading !== SURVEYED)
  .flatMap((heading) => tableUnder(heading, text));
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
const ids = selftestChecks().map(({ id }) => id);
const surveyed = ASSUMPTIONS.map(({ id }) => id);
/** The checks that a cell names; the assumptions that `chatdb-forms` judges, in brackets behind it, are not among them. */
const checksIn = (cell: string) => quoted(cell.replace(/\([^)]*\)/g, ''));
const assumptionsIn = (cell: string) =>
  [...cell.matchAll(/`chatdb-forms` \(([^)]*)\)/g)].flatMap(([, names = '']) => quoted(names));

test('every assumption has a source, a place in the code that exists, and a check that exists or a reason why none can', () => {
  expect(rows.length).toBeGreaterThan(25);
  for (const [assumption = '', source = '', places = '', checks = ''] of rows) {
    expect(source, assumption).not.toBe('');
    expect(quoted(places), assumption).not.toEqual([]);
    for (const path of quoted(places)) expect(existsSync(join(ROOT, path)), path).toBe(true);
    if (/^none: \S/.test(checks)) continue;
    expect(checksIn(checks).length, assumption).toBeGreaterThan(0);
    for (const id of checksIn(checks)) expect(ids).toContain(id);
    // The survey proves nothing by its name alone: which of its assumptions it is belongs to it.
    expect(assumptionsIn(checks).length > 0, assumption).toBe(checksIn(checks).includes(chatDbForms.id));
    for (const id of assumptionsIn(checks)) expect(surveyed).toContain(id);
  }
});

test('what no check can prove has one command in docs/first-mac.md, its certainty, and what to expect', () => {
  const unproven = rows.filter(([, , , checks = '']) => checks.startsWith('none: '));
  const labels = unproven.map(([, , , checks = '']) => /\((M\d+)\)$/.exec(checks)?.[1]);
  const trials = tableUnder('## 4 What no check can prove', page('docs/first-mac.md'));
  expect(trials.slice(0, labels.length).map(([label]) => label)).toEqual(labels);
  for (const [label = '', assumption, sure = '', command = '', expected] of trials.slice(0, labels.length)) {
    expect([assumption, expected], label).not.toContain('');
    expect(sure, label).toMatch(/^(documented|seen|inferred|guess)\b/);
    expect(quoted(command), label).not.toEqual([]);
  }
});

test('each assumption that the survey judges is one of a table, and is described as in the code', () => {
  const named = rows.flatMap(([, , , checks = '']) => assumptionsIn(checks));
  expect(surveyed.filter((id) => !named.includes(id))).toEqual([]);
  expect(new Set(surveyed).size).toBe(surveyed.length);
  expect(tableUnder(SURVEYED, text)).toEqual(
    ASSUMPTIONS.map(({ id, contradictedWhen, cost }) => [`\`${id}\``, contradictedWhen, cost]),
  );
});

test('every check proves something that is listed', () => {
  const named = new Set(rows.flatMap(([, , , checks = '']) => checksIn(checks)));
  expect(ids.filter((id) => !named.has(id))).toEqual([]);
});

test('no check has the id of another, and each describes what it proves', () => {
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, title } of selftestChecks()) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(title).not.toBe('');
  }
});
