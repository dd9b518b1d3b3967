import type { VerbSpec } from '../VerbSpec.js';

export const monitorTokenVerb: VerbSpec = {
  name: 'token',
  about: 'print a token for programs: ws://127.0.0.1:3100/ws?token=…',
  options: [
    { flags: '--user <name>', about: 'the name of the viewer (default: your login)' },
    { flags: '--ttl <time>', about: 'how long it is valid: 30m, 12h, 7d (default: 12h)' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; user?: string; ttl?: string; json?: boolean }) =>
    (await import('./monitor.js')).monitorToken(options),
};
