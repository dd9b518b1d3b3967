import type { VerbSpec } from '../VerbSpec.js';
import type { ReplayFlags } from './replay.js';

export const replayVerb: VerbSpec = {
  name: 'replay',
  about: "play the agent's side of it to a backend, or the backend's to an agent",
  arguments: [{ name: '<transcript>', about: 'what edge-agent record has written' }],
  options: [
    {
      flags: '--to <backend-url>',
      about: 'play the agent to this backend (exit 1 if it does not do what it did then)',
    },
    { flags: '--listen <port>', about: 'play the backend on this port' },
    { flags: '--speed <factor>', about: 'how much faster than it happened', default: '1' },
    {
      flags: '--secret-file <file>',
      about: 'with --to: where the shared secret is read from (default: $EDGE_SECRET)',
    },
    {
      flags: '--phone <number>',
      about: 'with --to: the number of the agent that is played (default: one that nobody has)',
    },
    {
      flags: '--agent-id <id>',
      about: 'with --to: its id (default: edge_ and the digits of that number)',
    },
    { flags: '--yes', about: 'with --to: do not ask before it begins' },
  ],
  run: async (options: ReplayFlags, path: string) => (await import('./replay.js')).replay(options, path),
};
