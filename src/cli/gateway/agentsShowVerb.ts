import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsShowVerb: VerbSpec = {
  name: 'show',
  about: 'one agent: its line, its problems, what waits for it',
  arguments: [{ name: '<agent>', about: 'its id, as agents list has it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, agent: string) =>
    (await import('./agents.js')).showAgent(options, agent),
};
