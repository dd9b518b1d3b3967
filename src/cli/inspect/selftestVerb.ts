import type { VerbSpec } from '../VerbSpec.js';

export const selftestVerb: VerbSpec = {
  name: 'selftest',
  about: 'test every assumption about this Mac, with or without a running agent',
  options: [
    { flags: '--json', about: 'print JSON' },
    { flags: '--send', about: 'also send a real text to your own number (asks first)' },
  ],
  run: async (options: { configPath?: string; json?: boolean; send?: boolean }) =>
    (await import('./selftest.js')).selftest(options),
  usesSecrets: true,
};
