import type { VerbSpec } from '../VerbSpec.js';

export const setVerb: VerbSpec = {
  name: 'set',
  about: 'change one setting in config.yaml, and nothing else there',
  arguments: [
    { name: '<key>', about: 'such as outgoing.max_per_minute' },
    { name: '<value>', about: 'of a list: its items, comma-separated; "" is none' },
  ],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, key: string, value: string) =>
    (await import('./setSetting.js')).setSetting(options, key, value),
};
