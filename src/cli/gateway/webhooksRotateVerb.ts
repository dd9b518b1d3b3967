import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksRotateVerb: VerbSpec = {
  name: 'rotate',
  about: 'sign with a new secret; the old one also signs for a while',
  arguments: [{ name: '<webhook>', about: 'its id, as webhooks list shows it' }],
  options: [
    {
      flags: '--overlap <hours>',
      about: 'how long the old secret stays valid',
      default: 24,
      parse: wholeNumber,
    },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: AdminOptions & { overlap: number }, webhook: string) =>
    (await import('./webhooks.js')).rotateWebhook(options, webhook),
};
