import type { VerbSpec } from '../VerbSpec.js';
import type { WatchOptions } from './watchMonitor.js';

export const watchVerb: VerbSpec = {
  name: 'watch',
  about: 'show what the agent does, one line per event, until Ctrl-C',
  options: [
    {
      flags: '--conversation <who>',
      about: 'only this conversation: a number, an e-mail address or a group id',
    },
    {
      flags: '--type <types>',
      about: 'only these (comma-separated): message, command, send, link, … (default: all but log)',
    },
    {
      flags: '--since <cursor>',
      about: 'start with the texts after this cursor, as printed by watch; 0: all kept texts (7 days)',
    },
    { flags: '--texts', about: 'show texts, and full numbers and addresses' },
    { flags: '--json', about: 'print one JSON object per line' },
  ],
  run: async (options: WatchOptions) => (await import('./watchMonitor.js')).watchMonitor(options),
};
