import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const keysListVerb: VerbSpec = {
  name: 'list',
  about: 'list the keys, the newest first',
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions) => (await import('./keys.js')).listKeys(options),
};
