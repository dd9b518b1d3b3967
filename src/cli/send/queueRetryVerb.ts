import type { VerbSpec } from '../VerbSpec.js';

export const queueRetryVerb: VerbSpec = {
  name: 'retry',
  about: 'post a message that was set aside again',
  arguments: [{ name: '<guid>', about: 'of the message, or "all"' }],
  run: async (options: { configPath?: string }, guid: string) =>
    (await import('./queue.js')).changeQueue(options, 'retry', guid),
};
