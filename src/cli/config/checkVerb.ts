import type { VerbSpec } from '../VerbSpec.js';

export const checkVerb: VerbSpec = {
  name: 'check',
  about: 'judge the configuration; every mistake is told (exit 0 valid, 78 not)',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./configFile.js')).checkConfig(options),
};
