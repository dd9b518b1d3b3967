import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** CI asks for a report in JSON, to count the tests in its closing line. */
const report = process.env.VITEST_REPORT;

/** Files that wait for processes start first: none of them is left over when the others are done. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification) =>
      /\/test\/(?:faults|e2e|soak|gateway)\//.test(moduleId);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: process.env.TEST_LONG === undefined ? ['test/**/*.long.test.ts'] : [],
    globalSetup: ['test/support/postgresPlace.ts', 'test/support/temporaryPlace.ts'],
    pool: 'forks',
    // Half of the tests' time is waiting for processes: four of them keep two cores busy.
    maxWorkers: 4,
    // Files share what they import: nothing in src remembers anything at module level, and importing is half of the rest.
    isolate: false,
    sequence: { sequencer: SlowFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
