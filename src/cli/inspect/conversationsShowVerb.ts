import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';

export const conversationsShowVerb: VerbSpec = {
  name: 'show',
  about: 'show what was said in a conversation and what the agent did, oldest first',
  arguments: [
    {
      name: '<who>',
      about: 'a number, an address, a group id or a name; as the list shows it',
      completes: 'conversations',
    },
  ],
  options: [
    {
      flags: '-n, --lines <count>',
      about: 'how many of the newest messages, at most 500',
      parse: wholeNumber,
      default: 50,
    },
    { flags: '--texts', about: 'include the texts, and full numbers and addresses' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (
    options: { configPath?: string; json?: boolean; lines: number; texts?: boolean },
    who: string,
  ) => (await import('./conversations.js')).showConversation(options, who),
};
