import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';
import type { LogsOptions } from './logs.js';

export const logsVerb: VerbSpec = {
  name: 'logs',
  about: 'show the log, from its rotated files too; works without a running agent',
  options: [
    { flags: '-f, --follow', about: 'go on with what is written, until Ctrl-C' },
    {
      flags: '-n, --lines <count>',
      about: 'the newest lines (default: 50; with --since or --id: all)',
      parse: wholeNumber,
    },
    { flags: '--since <time>', about: 'not older than: 10m, 2h, 1d, or a time such as 2026-12-24T18:30' },
    {
      flags: '--level <level>',
      about: 'nothing that is less grave',
      choices: ['debug', 'info', 'warn', 'error'],
      // Judged with the other options of `logs`, in whatever case it is written.
      parse: String,
    },
    { flags: '--grep <pattern>', about: 'lines that this regular expression fits' },
    { flags: '--id <id>', about: 'lines that carry this id: of a message, a command, a text …' },
    { flags: '--json', about: 'one JSON object a line' },
  ],
  examples: [['logs -f --level warn', 'what goes wrong, as it goes wrong']],
  run: async (options: LogsOptions) => (await import('./logs.js')).logs(options),
};
