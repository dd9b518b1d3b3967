import type { VerbSpec } from '../VerbSpec.js';

export const kickVerb: VerbSpec = {
  name: 'kick',
  about: 'reconnect to the backend now',
  run: async (options: { configPath?: string }) => (await import('./kick.js')).kick(options),
};
