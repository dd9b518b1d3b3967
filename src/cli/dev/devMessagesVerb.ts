import type { VerbSpec } from '../VerbSpec.js';

export const devMessagesVerb: VerbSpec = {
  name: 'dev-messages',
  about: 'simulate Messages: each line you type is a message, sent texts are printed',
  options: [
    {
      flags: '--dir <directory>',
      about: 'the directory for chat.db and osascript',
      default: './dev-messages',
    },
    { flags: '--from <handle>', about: 'who writes the messages', default: '+13105551234' },
  ],
  run: async ({ dir, from }: { dir: string; from: string }) =>
    (await import('./devMessages.js')).devMessages({ directory: dir, from }),
};
