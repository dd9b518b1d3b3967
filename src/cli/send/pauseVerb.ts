import type { VerbSpec } from '../VerbSpec.js';

export const pauseVerb: VerbSpec = {
  name: 'pause',
  about: 'stop sending until resumed; texts wait',
  arguments: [
    { name: '[conversation]', about: 'a number, an e-mail address or a group id; none: everything' },
  ],
  options: [
    { flags: '--incoming', about: 'also hold incoming messages: store them, and post them after resume' },
    { flags: '--json', about: 'print JSON' },
  ],
  examples: [['pause', 'nothing is sent until edge-agent resume']],
  run: async (options: { configPath?: string; incoming?: boolean; json?: boolean }, conversation?: string) =>
    (await import('./pauses.js')).pause(options, conversation),
};
