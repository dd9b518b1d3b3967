import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsShowVerb: VerbSpec = {
  name: 'show',
  about: 'show one agent: its state, its problems, its waiting commands',
  arguments: [{ name: '<agent>', about: 'its id, as agents list shows it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, agent: string) =>
    (await import('./agents.js')).showAgent(options, agent),
};
