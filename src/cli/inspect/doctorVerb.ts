import type { VerbSpec } from '../VerbSpec.js';

export const doctorVerb: VerbSpec = {
  name: 'doctor',
  about: 'look at everything that this installation needs, and say what to mend (exit 1 if anything)',
  options: [
    { flags: '--json', about: 'print JSON' },
    {
      flags: '--bundle [file]',
      about: 'also write an archive for support, without texts, numbers and secrets',
    },
  ],
  run: async (options: { configPath?: string; json?: boolean; bundle?: string | true }) =>
    (await import('./doctor.js')).doctor(options),
};
