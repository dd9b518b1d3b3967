import type { VerbSpec } from '../VerbSpec.js';

export const monitorOpenVerb: VerbSpec = {
  name: 'open',
  about: 'open the page in the browser; the link works once, for two minutes',
  options: [
    { flags: '--user <name>', about: 'the name of the viewer (default: your login)' },
    { flags: '--print', about: 'print the address instead of opening a browser' },
    { flags: '--json', about: 'print the address as JSON instead' },
  ],
  run: async (options: { configPath?: string; user?: string; print?: boolean; json?: boolean }) =>
    (await import('./monitor.js')).monitorOpen(options),
};
