import type { VerbSpec } from '../VerbSpec.js';

export const statusVerb: VerbSpec = {
  name: 'status',
  about: 'show the status (exit 0 healthy, 3 not running, 4 degraded, 5 unknown)',
  options: [
    { flags: '--json', about: 'print JSON' },
    { flags: '--watch', about: 'refresh every second, until Ctrl-C' },
  ],
  examples: [['status', 'what it does, and what is wrong'], ['status --watch']],
  run: async ({ watch, ...options }: { configPath?: string; json?: boolean; watch?: boolean }) =>
    watch === true
      ? (await import('./watch.js')).watch(options)
      : (await import('./status.js')).status(options),
};
