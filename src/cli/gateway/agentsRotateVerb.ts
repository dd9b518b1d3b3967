import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber } from '../wholeNumber.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const agentsRotateVerb: VerbSpec = {
  name: 'rotate',
  about: 'give an agent a new secret; the old one stays valid for a while',
  arguments: [{ name: '<agent>', about: 'its id, as agents list shows it' }],
  options: [
    {
      flags: '--overlap <hours>',
      about: 'how long the old secret stays valid',
      default: 24,
      parse: wholeNumber,
    },
    { flags: '--public-url <url>', about: 'where agents reach the gateway' },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: AdminOptions & { overlap: number; publicUrl?: string }, agent: string) =>
    (await import('./agents.js')).rotateAgent(options, agent),
};
