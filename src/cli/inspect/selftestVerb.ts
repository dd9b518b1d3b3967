import type { VerbSpec } from '../VerbSpec.js';

export const selftestVerb: VerbSpec = {
  name: 'selftest',
  about: 'put every assumption about this Mac to the test, with or without a running agent',
  options: [
    { flags: '--json', about: 'print JSON' },
    { flags: '--send', about: 'also send a real text to your own number (asked first at a terminal)' },
  ],
  run: async (options: { configPath?: string; json?: boolean; send?: boolean }) =>
    (await import('./selftest.js')).selftest(options),
};
