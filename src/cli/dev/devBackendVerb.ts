import type { VerbSpec } from '../VerbSpec.js';
import type { DevBackendOptions } from './devBackend.js';

export const devBackendVerb: VerbSpec = {
  name: 'dev-backend',
  about: 'run a backend to try the agent against',
  options: [
    { flags: '--port <port>', about: 'the port to listen on', default: '8787' },
    {
      flags: '--host <address>',
      about: 'the address; anything but loopback needs a secret of its own',
      default: '127.0.0.1',
    },
    { flags: '--secret <secret>', about: 'the shared secret (default: $EDGE_SECRET, else "dev-secret")' },
    {
      flags: '--admin-key <key>',
      about: 'the key for sending and statistics (default: $EDGE_ADMIN_KEY, else the secret)',
    },
    {
      flags: '--persona <name>',
      about: 'who answers: echo, scripted, slow, silent, or a file like ./persona.mjs',
      default: 'echo',
    },
    {
      flags: '--data <file>',
      about: 'the file in which commands are kept; ":memory:" for none',
      default: './dev-backend.sqlite',
    },
    {
      flags: '--rate <requests>',
      about: 'requests per second allowed to one agent; 0: no limit',
      default: '100',
    },
  ],
  examples: [['dev-backend --port 8787', 'a backend to try the agent against']],
  run: async (options: DevBackendOptions) => (await import('./devBackend.js')).devBackend(options),
};
