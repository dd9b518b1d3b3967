import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';

export const commandsListVerb: VerbSpec = {
  name: 'list',
  about: 'list the newest commands, newest first',
  options: [
    { flags: '-n, --lines <count>', about: 'how many', parse: wholeNumber, default: 20 },
    { flags: '--open', about: 'only unfinished ones' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; json?: boolean; lines: number; open?: boolean }) =>
    (await import('./commands.js')).listCommands(options),
};
