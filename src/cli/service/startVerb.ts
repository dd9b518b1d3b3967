import type { VerbSpec } from '../VerbSpec.js';

export const startVerb: VerbSpec = {
  name: 'start',
  about: 'start the installed agent, now and at each login',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { json?: boolean }) => (await import('./service.js')).start(options),
};
