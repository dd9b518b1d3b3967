import type { RuntimeChoice } from '../../service/runtime.js';
import type { VerbSpec } from '../VerbSpec.js';

export const installVerb: VerbSpec = {
  name: 'install',
  about: 'install the agent as a service, or upgrade it to this version',
  options: [
    {
      flags: '--runtime <which>',
      about: 'private: a copy of node that only the agent uses; current: this node',
      choices: ['private', 'current'],
      default: 'private',
    },
  ],
  examples: [['install', 'run it at each login, or upgrade it']],
  run: async (options: { configPath?: string; runtime: RuntimeChoice }) =>
    (await import('./service.js')).install(options),
};
