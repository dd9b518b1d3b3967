import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksReplayVerb: VerbSpec = {
  name: 'replay',
  about: 'send an event again, or all that were set aside',
  arguments: [
    { name: '<webhook>', about: 'its id, as webhooks list shows it' },
    { name: '<event>', about: 'its id, or "all": all that were set aside' },
  ],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, webhook: string, event: string) =>
    (await import('./webhooks.js')).replayDeliveries(options, webhook, event),
};
