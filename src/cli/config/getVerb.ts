import type { VerbSpec } from '../VerbSpec.js';

export const getVerb: VerbSpec = {
  name: 'get',
  about: 'print the effective value of one setting',
  arguments: [{ name: '<key>', about: 'such as backend.url' }],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, key: string) =>
    (await import('./config.js')).getSetting(options, key),
};
