import { defineConfig } from 'vitest/config';

/** CI asks for a report in JSON, to count the tests in its closing line. */
const report = process.env.VITEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: process.env.TEST_LONG === undefined ? ['test/**/*.long.test.ts'] : [],
    globalSetup: 'test/support/temporaryPlace.ts',
    pool: 'forks',
    // Half of the tests' time is waiting for processes: four of them keep two cores busy.
    maxWorkers: 4,
    // Files share what they import: nothing in src remembers anything at module level, and importing is half of the rest.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
