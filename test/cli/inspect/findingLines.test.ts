import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { findingLines } from '../../../src/cli/inspect/findingLines.js';
import { printable } from '../../../src/cli/terminal.js';

const FINDING = {
  id: 'state-directory',
  title: '',
  verdict: 'FAIL',
  evidence: 'one long reason, and another one, and the reason behind them both, which is long as well',
  remedy: 'Do this, then that, and when all of it is done, look whether it has helped, else do it again.',
} as const;

test('a finding fits a terminal, with its remedy below it, and is two lines when piped', () => {
  const terminal = { isTerminal: true, colour: true, unicode: true, columns: 80 };
  const shown = findingLines(FINDING, terminal).map((line) =>
    stripVTControlCharacters(printable(line, terminal)),
  );
  expect(shown.map((line) => line.search(/[^ ]/))).toEqual([0, 24, 6, 8]);
  for (const line of shown) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(findingLines(FINDING, { ...terminal, isTerminal: false, colour: false })).toEqual([
    `FAIL  state-directory   ${FINDING.evidence}`,
    `      → ${FINDING.remedy}`,
  ]);
});

test('a list in a finding, such as mistakes in a configuration, is shown as lines, never with a \\n in it', () => {
  const list = {
    ...FINDING,
    evidence: 'It has 2 mistakes:\n  line 1  wrong\n  line 2  wrong too',
    remedy: 'Correct it.',
  };
  const terminal = { isTerminal: true, colour: false, unicode: true, columns: 80 };
  const rest = ' '.repeat(26);
  expect(findingLines(list, terminal)).toEqual([
    'FAIL  state-directory   It has 2 mistakes:',
    `${rest}line 1  wrong`,
    `${rest}line 2  wrong too`,
    '      → Correct it.',
  ]);
  expect(findingLines(list, { ...terminal, isTerminal: false })[0]).toBe(
    'FAIL  state-directory   It has 2 mistakes: line 1  wrong line 2  wrong too',
  );
});
