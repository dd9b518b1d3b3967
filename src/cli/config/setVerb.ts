import type { VerbSpec } from '../VerbSpec.js';

export const setVerb: VerbSpec = {
  name: 'set',
  about: 'change one setting in config.yaml, and nothing else in it',
  arguments: [
    { name: '<key>', about: 'such as outgoing.max_per_minute' },
    { name: '<value>', about: 'for a list: its items, comma-separated; "" for none' },
  ],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, key: string, value: string) =>
    (await import('./setSetting.js')).setSetting(options, key, value),
};
