import type { VerbSpec } from '../VerbSpec.js';

export const showVerb: VerbSpec = {
  name: 'show',
  about: 'show every setting with its value and source',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./config.js')).showConfig(options),
};
