import type { VerbSpec } from '../VerbSpec.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const completionsVerb: VerbSpec = {
  name: 'completions',
  about: 'print a completion script for the shell',
  arguments: [{ name: '<shell>', about: 'the shell', choices: SHELLS }],
  run: async (_options: object, shell: Shell) => (await import('../completions.js')).completions(shell),
};
