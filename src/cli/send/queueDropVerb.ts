import type { VerbSpec } from '../VerbSpec.js';

export const queueDropVerb: VerbSpec = {
  name: 'drop',
  about: 'give a message that was set aside up for good',
  arguments: [{ name: '<guid>', about: 'of the message, or "all"' }],
  run: async (options: { configPath?: string }, guid: string) =>
    (await import('./queue.js')).changeQueue(options, 'drop', guid),
};
