import type { VerbSpec } from '../VerbSpec.js';
import type { WatchOptions } from './watchMonitor.js';

export const watchVerb: VerbSpec = {
  name: 'watch',
  about: 'show what the agent does as it happens, one line each, over its restarts, until Ctrl-C',
  options: [
    {
      flags: '--conversation <who>',
      about: 'only this one: a number, an e-mail address or a group id',
    },
    {
      flags: '--type <types>',
      about: 'only these, with commas between: message, command, send, link, … (default: all but log)',
    },
    { flags: '--texts', about: 'with texts, and with numbers and addresses whole' },
    { flags: '--json', about: 'one JSON object a line' },
  ],
  run: async (options: WatchOptions) => (await import('./watchMonitor.js')).watchMonitor(options),
};
