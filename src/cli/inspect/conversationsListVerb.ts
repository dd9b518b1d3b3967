import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';

export const conversationsListVerb: VerbSpec = {
  name: 'list',
  about: 'list the conversations, the one with the newest message first',
  options: [
    { flags: '-n, --lines <count>', about: 'how many, at most 50', parse: wholeNumber, default: 20 },
    { flags: '--texts', about: 'include full numbers and addresses, and the last text' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; json?: boolean; lines: number; texts?: boolean }) =>
    (await import('./conversations.js')).listConversations(options),
};
