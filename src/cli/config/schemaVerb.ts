import type { VerbSpec } from '../VerbSpec.js';

export const schemaVerb: VerbSpec = {
  name: 'schema',
  about: 'print the JSON Schema of the configuration, for editors and scripts',
  run: async () => (await import('./configFile.js')).printConfigSchema(),
};
