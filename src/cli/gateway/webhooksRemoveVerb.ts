import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksRemoveVerb: VerbSpec = {
  name: 'remove',
  about: 'remove a webhook and its waiting deliveries',
  arguments: [{ name: '<webhook>', about: 'its id, as webhooks list shows it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, webhook: string) =>
    (await import('./webhooks.js')).removeWebhook(options, webhook),
};
