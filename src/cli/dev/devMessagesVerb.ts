import type { VerbSpec } from '../VerbSpec.js';

export const devMessagesVerb: VerbSpec = {
  name: 'dev-messages',
  about: 'play Messages on a machine that has none: each line typed is a message, what is sent is printed',
  options: [
    {
      flags: '--dir <directory>',
      about: 'where chat.db and osascript are put',
      default: './dev-messages',
    },
    { flags: '--from <handle>', about: 'who writes the messages', default: '+13105551234' },
  ],
  run: async ({ dir, from }: { dir: string; from: string }) =>
    (await import('./devMessages.js')).devMessages({ directory: dir, from }),
};
