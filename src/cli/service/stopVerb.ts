import type { VerbSpec } from '../VerbSpec.js';

export const stopVerb: VerbSpec = {
  name: 'stop',
  about: 'stop the installed agent until `start`, even across reboots',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { json?: boolean }) => (await import('./service.js')).stop(options),
};
