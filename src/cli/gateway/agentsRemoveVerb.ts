import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsRemoveVerb: VerbSpec = {
  name: 'remove',
  about: 'refuse an agent from now on',
  arguments: [{ name: '<agent>', about: 'its id, as agents list shows it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, agent: string) =>
    (await import('./agents.js')).removeAgent(options, agent),
};
