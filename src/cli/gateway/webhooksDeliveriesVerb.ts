import type { DeliveryView } from '../../model/gatewayApi.js';
import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

/** Here again, because a spec loads no schema. */
const STATES = ['waiting', 'delivered', 'set_aside'] as const satisfies readonly DeliveryView['state'][];

export const webhooksDeliveriesVerb: VerbSpec = {
  name: 'deliveries',
  about: 'list the deliveries of a webhook, the newest first',
  arguments: [{ name: '<webhook>', about: 'its id, as webhooks list shows it' }],
  options: [
    { flags: '--state <state>', about: 'only these', choices: STATES },
    { flags: '-n, --limit <count>', about: 'how many', default: 50, parse: wholeNumber },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: AdminOptions & { state?: DeliveryView['state']; limit: number }, webhook: string) =>
    (await import('./webhooks.js')).listDeliveries(options, webhook),
};
