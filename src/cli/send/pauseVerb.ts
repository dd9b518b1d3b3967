import type { VerbSpec } from '../VerbSpec.js';

export const pauseVerb: VerbSpec = {
  name: 'pause',
  about: 'let nothing more go out until it is resumed; texts wait',
  arguments: [
    { name: '[conversation]', about: 'a number, an e-mail address or a group id; none: everything' },
  ],
  options: [
    { flags: '--incoming', about: 'what comes in waits too: it is stored, and posted once it is resumed' },
  ],
  examples: [['pause', 'nothing goes out until edge-agent resume']],
  run: async (options: { configPath?: string; incoming?: boolean }, conversation?: string) =>
    (await import('./pauses.js')).pause(options, conversation),
};
