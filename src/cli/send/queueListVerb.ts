import type { VerbSpec } from '../VerbSpec.js';

export const queueListVerb: VerbSpec = {
  name: 'list',
  about: 'which messages were set aside, and why',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./queue.js')).listQueue(options),
};
