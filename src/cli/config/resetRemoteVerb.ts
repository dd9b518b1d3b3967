import type { VerbSpec } from '../VerbSpec.js';

export const resetRemoteVerb: VerbSpec = {
  name: 'reset-remote',
  about: 'drop the settings that the backend changed',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./config.js')).resetRemote(options),
};
