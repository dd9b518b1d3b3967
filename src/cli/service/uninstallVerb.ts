import type { VerbSpec } from '../VerbSpec.js';

export const uninstallVerb: VerbSpec = {
  name: 'uninstall',
  about: 'end the agent and remove its program; configuration, state and logs stay',
  options: [
    { flags: '--purge', about: 'remove these as well, after a question' },
    { flags: '--yes', about: 'without the question' },
  ],
  run: async ({ purge = false, yes = false, ...options }: { purge?: boolean; yes?: boolean }) =>
    (await import('./uninstall.js')).uninstall({ ...options, purge, yes }),
};
