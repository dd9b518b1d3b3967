import type { VerbSpec } from '../VerbSpec.js';

export const rollbackVerb: VerbSpec = {
  name: 'rollback',
  about: 'go back to the version that was installed before',
  run: async () => (await import('./service.js')).rollback(),
};
