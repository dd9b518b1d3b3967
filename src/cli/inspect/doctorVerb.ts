import type { VerbSpec } from '../VerbSpec.js';

export const doctorVerb: VerbSpec = {
  name: 'doctor',
  about: 'check the whole installation and say what to fix (exit 1 if anything fails)',
  options: [
    { flags: '--json', about: 'print JSON' },
    {
      flags: '--bundle [file]',
      about: 'also write an archive for support, without texts, numbers or secrets',
    },
  ],
  run: async (options: { configPath?: string; json?: boolean; bundle?: string | true }) =>
    (await import('./doctor.js')).doctor(options),
  usesSecrets: true,
};
