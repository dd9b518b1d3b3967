import { SHELLS, type Shell } from '../completions.js';
import type { VerbSpec } from '../VerbSpec.js';

export const completionsVerb: VerbSpec = {
  name: 'completions',
  about: 'print the script by which a shell completes verbs and options',
  arguments: [{ name: '<shell>', about: 'whose script is printed', choices: SHELLS }],
  run: async (_options: object, shell: Shell) => (await import('../completions.js')).completions(shell),
};
