import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** CI asks for a report in JSON, to count the tests in its closing line. */
const report = process.env.VITEST_REPORT;

// Every start of Node reads this file, which takes longer than the rest of the start; a test that needs it sets its own.
delete process.env.NODE_EXTRA_CA_CERTS;

/** In this order, for what they wait: of files that wait for processes and for time none is left over when the others are done. */
const SLOW = [
  /\/test\/faults\//,
  /\/test\/e2e\//,
  /\/test\/(?:soak|service|gateway|monitor-page|kit\/conformance)\//,
];

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification) => {
      const found = SLOW.findIndex((slow) => slow.test(moduleId));
      return found === -1 ? SLOW.length : found;
    };
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: process.env.TEST_LONG === undefined ? ['test/**/*.long.test.ts'] : [],
    globalSetup: ['test/support/postgresPlace.ts', 'test/support/temporaryPlace.ts'],
    pool: 'forks',
    // Half of the tests' time is waiting for processes: five of them keep two cores busy.
    maxWorkers: 5,
    // Files share what they import: nothing in src remembers anything at module level, and importing is half of the rest.
    isolate: false,
    sequence: { sequencer: SlowFirst },
    // For what hangs: longer than the patience of what a test waits for, which says what did not come.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
