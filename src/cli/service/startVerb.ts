import type { VerbSpec } from '../VerbSpec.js';

export const startVerb: VerbSpec = {
  name: 'start',
  about: 'start the installed agent, now and at each login',
  run: async () => (await import('./service.js')).start(),
};
