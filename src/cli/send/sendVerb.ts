import type { VerbSpec } from '../VerbSpec.js';
import type { SendOptions } from './send.js';

export const sendVerb: VerbSpec = {
  name: 'send',
  about: 'send a text or a file (exit 0 sent, 1 not sent, 5 not known yet)',
  arguments: [
    { name: '<to>', about: 'a number, an e-mail address or a group id' },
    { name: '[text]', about: 'the text, or - to read it from stdin; optional with --file' },
  ],
  options: [
    { flags: '--file <path>', about: 'a file to send after the text' },
    {
      flags: '--at <time>',
      about: 'when: 18:30, 2026-12-24T18:30 (local unless it has a zone), or in 10m',
    },
    {
      flags: '--timeout <time>',
      about: 'how long to wait for the outcome: 90s, 5m; 0s: do not wait',
      default: '60s',
    },
    { flags: '--json', about: 'print JSON' },
  ],
  examples: [["send +13105551234 'hello'"]],
  run: async (options: SendOptions, to: string, text?: string) =>
    (await import('./send.js')).send(options, to, text),
};
