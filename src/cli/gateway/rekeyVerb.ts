import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const rekeyVerb: VerbSpec = {
  name: 'rekey',
  about: 'change the key of the gateway: encrypt every secret in the database under a new one',
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions) => (await import('./rekey.js')).rekey(options),
};
