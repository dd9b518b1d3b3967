import type { VerbSpec } from '../VerbSpec.js';

export const editVerb: VerbSpec = {
  name: 'edit',
  about: 'change the file in $VISUAL or $EDITOR; it is put in place only if it is valid',
  run: async (options: { configPath?: string }) => (await import('./configEdit.js')).editConfig(options),
};
