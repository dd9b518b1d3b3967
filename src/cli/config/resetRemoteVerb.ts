import type { VerbSpec } from '../VerbSpec.js';

export const resetRemoteVerb: VerbSpec = {
  name: 'reset-remote',
  about: 'drop the settings that the backend changed',
  run: async (options: { configPath?: string }) => (await import('./config.js')).resetRemote(options),
};
