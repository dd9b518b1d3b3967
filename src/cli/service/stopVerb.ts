import type { VerbSpec } from '../VerbSpec.js';

export const stopVerb: VerbSpec = {
  name: 'stop',
  about: 'end the installed agent in order; it stays ended, also over reboots, until `start`',
  run: async () => (await import('./service.js')).stop(),
};
