import { expectTypeOf, test } from 'vitest';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import type { DoctorReport } from '../../src/model/operatorApi.js';

/** It is kept as a file and read again as the answer of the operator API. */
test('the report type of doctor is what the monitor answers', () => {
  expectTypeOf<
    Pick<Report, 'at' | 'summary'> & { checks: Report['checks'][number][] }
  >().toExtend<DoctorReport>();
});
