import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const webhooksAddVerb: VerbSpec = {
  name: 'add',
  about: 'post events to an application',
  arguments: [{ name: '<url>', about: 'where they are posted' }],
  options: [
    { flags: '--events <types>', about: 'only these types, separated by commas', default: '*' },
    { flags: '--agents <ids>', about: 'only those of these agents, separated by commas' },
    { flags: '--description <text>', about: 'what it is for' },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (
    options: AdminOptions & { events: string; agents?: string; description?: string },
    url: string,
  ) => (await import('./webhooks.js')).addWebhook(options, url),
};
