import type { VerbSpec } from '../VerbSpec.js';

export const restartVerb: VerbSpec = {
  name: 'restart',
  about: 'restart the installed agent',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { json?: boolean }) => (await import('./service.js')).restart(options),
};
