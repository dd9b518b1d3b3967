import type { VerbSpec } from '../VerbSpec.js';

export const kickVerb: VerbSpec = {
  name: 'kick',
  about: 'reconnect to the backend now',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) => (await import('./kick.js')).kick(options),
};
