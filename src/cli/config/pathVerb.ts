import type { VerbSpec } from '../VerbSpec.js';

export const pathVerb: VerbSpec = {
  name: 'path',
  about: 'print where the configuration file is',
  run: async (options: { configPath?: string }) => (await import('./configFile.js')).printConfigPath(options),
};
