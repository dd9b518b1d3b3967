import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksRemoveVerb: VerbSpec = {
  name: 'remove',
  about: 'post nothing there any more, and forget what waits',
  arguments: [{ name: '<webhook>', about: 'its id, as webhooks list has it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, webhook: string) =>
    (await import('./webhooks.js')).removeWebhook(options, webhook),
};
