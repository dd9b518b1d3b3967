import type { VerbSpec } from '../VerbSpec.js';

export const stopVerb: VerbSpec = {
  name: 'stop',
  about: 'stop the installed agent until `start`, even across reboots',
  run: async () => (await import('./service.js')).stop(),
};
