import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsAddVerb: VerbSpec = {
  name: 'add',
  about: 'add a Mac: prints the lines for its .env',
  arguments: [
    { name: '<address>', about: 'the phone number that it sends from, or the e-mail address of its account' },
  ],
  options: [
    { flags: '--id <id>', about: 'the id of the agent (default: made from the address)' },
    { flags: '--name <name>', about: 'a name, for people' },
    {
      flags: '--public-url <url>',
      about: 'where agents reach the gateway (default: that of the running gateway, or $GATEWAY_PUBLIC_URL)',
    },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: AdminOptions & { id?: string; name?: string; publicUrl?: string }, address: string) =>
    (await import('./agents.js')).addAgent(options, address),
};
