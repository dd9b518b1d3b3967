import type { VerbSpec } from '../VerbSpec.js';

export const rollbackVerb: VerbSpec = {
  name: 'rollback',
  about: 'go back to the previously installed version',
  run: async () => (await import('./service.js')).rollback(),
};
