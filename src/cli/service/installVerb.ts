import type { RuntimeChoice } from '../../service/runtime.js';
import type { VerbSpec } from '../VerbSpec.js';

export const installVerb: VerbSpec = {
  name: 'install',
  about: 'run the agent from each login on, or put this version in the place of the one that runs',
  options: [
    {
      flags: '--runtime <which>',
      about: 'a copy of node that only the agent uses, or the node that runs this',
      choices: ['private', 'current'],
      default: 'private',
    },
  ],
  examples: [['install', 'run it from each login on, or upgrade it']],
  run: async (options: { configPath?: string; runtime: RuntimeChoice }) =>
    (await import('./service.js')).install(options),
};
