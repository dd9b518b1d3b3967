import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsListVerb: VerbSpec = {
  name: 'list',
  about: 'list the agents with their state',
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions) => (await import('./agents.js')).listAgents(options),
};
