import type { VerbSpec } from '../VerbSpec.js';
import type { ReplayFlags } from './replay.js';

export const replayVerb: VerbSpec = {
  name: 'replay',
  about: 'replay a recording as the agent or as the backend',
  arguments: [{ name: '<transcript>', about: 'a file written by edge-agent record' }],
  options: [
    {
      flags: '--to <backend-url>',
      about: 'act as the agent towards this backend (exit 1 if it behaves differently)',
    },
    { flags: '--listen <port>', about: 'act as the backend on this port' },
    { flags: '--speed <factor>', about: 'how many times faster than recorded', default: '1' },
    {
      flags: '--secret-file <file>',
      about: 'with --to: a file with the shared secret (default: $EDGE_SECRET)',
    },
    {
      flags: '--phone <number>',
      about: 'with --to: the phone number to use (default: a fictitious one)',
    },
    {
      flags: '--agent-id <id>',
      about: 'with --to: the agent id to use (default: edge_ and the digits of that number)',
    },
    { flags: '--yes', about: 'with --to: do not ask for confirmation' },
  ],
  run: async (options: ReplayFlags, path: string) => (await import('./replay.js')).replay(options, path),
};
