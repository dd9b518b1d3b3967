import type { VerbSpec } from '../VerbSpec.js';
import type { RecordFlags } from './record.js';

export const recordVerb: VerbSpec = {
  name: 'record',
  about: 'stand between an agent and its backend and write down what passes, redacted',
  arguments: [{ name: '<backend-url>', about: 'the backend that the agent talks to' }],
  options: [
    {
      flags: '--listen <port>',
      about: 'the port on this machine that the agent is to talk to',
      default: '8799',
    },
    { flags: '--out <file>', about: 'where it is written (default: edge-agent-<time>.jsonl)' },
    { flags: '--most-mb <megabytes>', about: 'how large it may become', default: '20' },
  ],
  run: async (options: RecordFlags, address: string) =>
    (await import('./record.js')).record(options, address),
};
