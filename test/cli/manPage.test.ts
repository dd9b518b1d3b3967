import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exitCodes.js';
import { manPage } from '../../src/cli/manPage.js';
import { edgeProgram } from '../../src/cli/program.js';
import { packageVersion } from '../../src/system/version.js';

const page = readFileSync(join(import.meta.dirname, '../../man/edge-agent.1'), 'utf8');

test('the manual page has the verbs that exist (npm run man makes it)', () => {
  expect(page).toBe(manPage(edgeProgram(), packageVersion()));
});

test('it has every exit code, and nothing that roff would interpret', () => {
  const section = page.split('.SH EXIT STATUS')[1]?.split('.SH ')[0] ?? '';
  const codes = [...section.matchAll(/^\.B (\d+)$/gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(EXIT));
  expect(page).toMatch(/^\p{ASCII}*$/u);
  for (const line of page.split('\n')) expect(line).toMatch(/^(?:\.(?:TH|SH|SS|TP|B|I|RI)\b.*|[^.'].*|)$/);
});
