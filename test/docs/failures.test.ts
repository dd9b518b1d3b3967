import { expect, test } from 'vitest';
import { APPLESCRIPT_FAULTS } from '../../src/messages/applescript/errors.js';
import { failuresPage } from '../../src/messages/failuresPage.js';
import { ERROR_CODES } from '../../src/model/errorCodes.js';
import { FAILURE_OWNERS, isMachineCode, ownerOf } from '../../src/system/failures.js';
import { page, tableUnder } from './page.js';

test('docs/failures.md matches the code', () => {
  expect(page('docs/failures.md')).toBe(failuresPage());
});

test('every code that an ack can carry has an owner', () => {
  const inAcks = tableUnder('## Codes', page('docs/operating.md'))
    .filter(([, , where = '']) => where.split(/[,;]/).some((place) => place.trim() === 'ack'))
    .map(([code = '']) => code.replaceAll('`', ''));
  const ofVerbs = ['schedule_unknown', 'internal'];
  expect(inAcks.filter((code) => !(code in FAILURE_OWNERS) && !ofVerbs.includes(code))).toEqual([]);
  expect(Object.keys(FAILURE_OWNERS).filter((code) => !(code in ERROR_CODES))).toEqual([]);
});

test('a number of AppleScript is kept exactly when its code is a fault of this machine', () => {
  for (const [number, { owner, reason }] of APPLESCRIPT_FAULTS) {
    expect(owner === 'machine', String(number)).toBe(isMachineCode(reason));
    if (isMachineCode(reason)) expect(ownerOf(reason)).toBe('machine');
  }
});
