import type { VerbSpec } from '../VerbSpec.js';

export const rollbackVerb: VerbSpec = {
  name: 'rollback',
  about: 'go back to the previously installed version',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { json?: boolean }) => (await import('./service.js')).rollback(options),
};
