import type { VerbSpec } from '../VerbSpec.js';

export const resumeVerb: VerbSpec = {
  name: 'resume',
  about: 'end a pause',
  arguments: [
    {
      name: '[conversation]',
      about: 'as `status` names it; none: what `pause` stopped; "all": every pause',
    },
  ],
  options: [
    { flags: '--incoming', about: 'only incoming messages; texts keep waiting' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; incoming?: boolean; json?: boolean }, conversation?: string) =>
    (await import('./pauses.js')).resume(options, conversation),
};
