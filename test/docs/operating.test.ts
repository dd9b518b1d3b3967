import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exitCodes.js';
import { ERROR_CODES } from '../../src/model/errorCodes.js';
import { VITAL_SIGNS, type VitalSignName } from '../../src/model/vitalSignNames.js';
import { codesOfSign } from '../../src/operator/problemMeanings.js';
import { page, tableUnder } from './page.js';

const operating = page('docs/operating.md');
const exitCodesIn = (rows: string[][]) => rows.flatMap(([codes = '']) => codes.split(', ').map(Number));

test('the table of codes has every code, in the order and with the text of the code', () => {
  const rows = tableUnder('## Codes', operating).map(([code, meaning]) => [code, meaning]);
  expect(rows).toEqual(Object.entries(ERROR_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]));
});

test('every code says where it occurs and what to do', () => {
  for (const [code, , where, remedy] of tableUnder('## Codes', operating)) {
    expect(where, code).not.toBe('');
    expect(remedy, code).toMatch(/\.$/);
  }
});

test('the table of vital signs has every sign, with every code of it', () => {
  const rows = tableUnder('## Vital signs', operating).map(([sign, , codes]) => [sign, codes]);
  const signs = Object.keys(VITAL_SIGNS) as VitalSignName[];
  expect(rows).toEqual(
    signs.map((name) => [
      `\`${name}\``,
      codesOfSign(name)
        .map((code) => `\`${code}\``)
        .join(', '),
    ]),
  );
});

test('the table of exit codes has every exit code', () => {
  const signals = [130, 143];
  expect(exitCodesIn(tableUnder('## Exit codes', operating))).toEqual([...Object.values(EXIT), ...signals]);
});
