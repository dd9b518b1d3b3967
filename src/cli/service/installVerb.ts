import type { VerbSpec } from '../VerbSpec.js';
import type { InstallWishes } from './service.js';

export const installVerb: VerbSpec = {
  name: 'install',
  about: 'install the agent as a service, or upgrade it to this version',
  options: [
    {
      flags: '--runtime <which>',
      about: 'private: a copy of node, in an app that only the agent uses; current: this node',
      choices: ['private', 'current'],
      default: 'private',
    },
    {
      flags: '--node',
      about: 'copy this node again; macOS may ask for permissions again',
    },
    {
      flags: '--sign <identity>',
      about: 'sign the app with this certificate, so that permissions outlast a new node; - for none',
    },
    { flags: '--json', about: 'print JSON' },
  ],
  examples: [['install', 'run it at each login, or upgrade it']],
  run: async (options: InstallWishes) => (await import('./service.js')).install(options),
};
