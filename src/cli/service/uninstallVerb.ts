import type { VerbSpec } from '../VerbSpec.js';

export const uninstallVerb: VerbSpec = {
  name: 'uninstall',
  about: 'stop the agent and remove its program; keep configuration, state and logs',
  options: [
    { flags: '--purge', about: 'remove those too, after asking' },
    { flags: '--yes', about: 'do not ask' },
  ],
  run: async ({ purge = false, yes = false, ...options }: { purge?: boolean; yes?: boolean }) =>
    (await import('./uninstall.js')).uninstall({ ...options, purge, yes }),
};
