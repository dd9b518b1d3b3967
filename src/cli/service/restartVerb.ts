import type { VerbSpec } from '../VerbSpec.js';

export const restartVerb: VerbSpec = {
  name: 'restart',
  about: 'end the installed agent in order and start it anew',
  run: async () => (await import('./service.js')).restart(),
};
