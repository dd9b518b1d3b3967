import type { VerbSpec } from '../VerbSpec.js';

export const queueRetryVerb: VerbSpec = {
  name: 'retry',
  about: 'post again a message that was set aside',
  arguments: [
    { name: '<guid>', about: 'of the message, or its unique beginning; or "all"', completes: 'queue' },
  ],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, guid: string) =>
    (await import('./queue.js')).changeQueue(options, 'retry', guid),
};
