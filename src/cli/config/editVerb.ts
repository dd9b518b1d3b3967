import type { VerbSpec } from '../VerbSpec.js';

export const editVerb: VerbSpec = {
  name: 'edit',
  about: 'edit the file with $VISUAL or $EDITOR; it is saved only if it is valid',
  run: async (options: { configPath?: string }) => (await import('./configEdit.js')).editConfig(options),
};
