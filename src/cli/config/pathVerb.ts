import type { VerbSpec } from '../VerbSpec.js';

export const pathVerb: VerbSpec = {
  name: 'path',
  about: 'print where the configuration file is',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./configFile.js')).printConfigPath(options),
};
