import type { VerbSpec } from '../VerbSpec.js';

export const kickVerb: VerbSpec = {
  name: 'kick',
  about: 'connect to the backend now: anew if the link is up, else without waiting for the next attempt',
  run: async (options: { configPath?: string }) => (await import('./kick.js')).kick(options),
};
