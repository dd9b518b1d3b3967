import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';
import type { LogsOptions } from './logs.js';

export const logsVerb: VerbSpec = {
  name: 'logs',
  about: 'show the log, including rotated files; the agent need not be running',
  options: [
    { flags: '-f, --follow', about: 'keep printing new lines, until Ctrl-C' },
    {
      flags: '-n, --lines <count>',
      about: 'the newest lines (default: 50; with --since or --id: all)',
      parse: wholeNumber,
    },
    { flags: '--since <time>', about: 'lines since: 10m, 2h, 1d, 18:30, or a time such as 2026-12-24T18:30' },
    {
      flags: '--level <level>',
      about: 'the minimum level',
      choices: ['debug', 'info', 'warn', 'error'],
      // Judged with the other options of `logs`, in whatever case it is written.
      parse: String,
    },
    { flags: '--grep <pattern>', about: 'lines that match this regular expression' },
    { flags: '--id <id>', about: 'lines with this id (of a message, a command, a text …)' },
    { flags: '--json', about: 'print one JSON object per line' },
  ],
  examples: [['logs -f --level warn', 'follow warnings and errors']],
  run: async (options: LogsOptions) => (await import('./logs.js')).logs(options),
};
