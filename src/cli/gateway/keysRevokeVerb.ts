import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

export const keysRevokeVerb: VerbSpec = {
  name: 'revoke',
  about: 'refuse a key from now on',
  arguments: [{ name: '<key>', about: 'its id, as keys list shows it' }],
  options: [...GATEWAY_PLACE, { flags: '--json', about: 'print JSON' }],
  run: async (options: AdminOptions, key: string) => (await import('./keys.js')).revokeKey(options, key),
};
