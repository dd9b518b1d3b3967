import { SHELLS, type Shell } from '../completions.js';
import type { VerbSpec } from '../VerbSpec.js';

export const completionsVerb: VerbSpec = {
  name: 'completions',
  about: 'print a completion script for the shell',
  arguments: [{ name: '<shell>', about: 'the shell', choices: SHELLS }],
  run: async (_options: object, shell: Shell) => (await import('../completions.js')).completions(shell),
};
