import type { VerbSpec } from '../VerbSpec.js';

export const restartVerb: VerbSpec = {
  name: 'restart',
  about: 'restart the installed agent',
  run: async () => (await import('./service.js')).restart(),
};
