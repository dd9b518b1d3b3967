import type { VerbSpec } from '../VerbSpec.js';

export const checkVerb: VerbSpec = {
  name: 'check',
  about: 'check the configuration and list every error (exit 0 valid, 78 invalid)',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./configFile.js')).checkConfig(options),
};
