import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksListVerb: VerbSpec = {
  name: 'list',
  about: 'list the webhooks, the newest first',
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions) => (await import('./webhooks.js')).listWebhooks(options),
};
