import type { VerbSpec } from '../VerbSpec.js';

export const selftestVerb: VerbSpec = {
  name: 'selftest',
  about: 'test every assumption about this Mac, with or without a running agent',
  options: [
    { flags: '--json', about: 'print JSON' },
    { flags: '--send', about: 'also send a real text to your own number (asks first)' },
    {
      flags: '--report [file]',
      about:
        'also write the findings to a file that you can send to others: without texts, numbers or secrets',
    },
  ],
  run: async (options: { configPath?: string; json?: boolean; send?: boolean; report?: string | true }) =>
    (await import('./selftest.js')).selftest(options),
  usesSecrets: true,
};
