import type { VerbSpec } from '../VerbSpec.js';
import type { RecordFlags } from './record.js';

export const recordVerb: VerbSpec = {
  name: 'record',
  about: 'record the traffic between an agent and its backend, redacted',
  arguments: [{ name: '<backend-url>', about: 'the backend to forward to' }],
  options: [
    {
      flags: '--listen <port>',
      about: 'the port on this machine for the agent to connect to',
      default: '8799',
    },
    { flags: '--out <file>', about: 'the file to write (default: edge-agent-<time>.jsonl)' },
    { flags: '--most-mb <megabytes>', about: 'the largest size of the file', default: '20' },
  ],
  run: async (options: RecordFlags, address: string) =>
    (await import('./record.js')).record(options, address),
};
