import { expect, test } from 'vitest';
import { backendSettings } from '../../src/backend/settings.js';
import { doctorChecks } from '../../src/diagnostics/doctor/doctorChecks.js';
import { page, tableUnder } from './page.js';

test('every check of the doctor has its line, in the order in which it runs', () => {
  const rows = tableUnder('## The doctor', page('docs/operating.md'));
  const told = rows.flatMap(([ids = '']) => [...ids.matchAll(/`([^`]+)`/g)].map(([, id]) => id));
  const checks = doctorChecks({ version: '', template: '', backendSettings });
  expect(told).toEqual(checks.map(({ id }) => id));
});
