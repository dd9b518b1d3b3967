import type { Scope } from '../../model/gatewayApi.js';
import type { VerbSpec } from '../VerbSpec.js';
import { type AdminOptions, GATEWAY_PLACE } from './gatewayPlace.js';

/** Here again, because a spec loads no schema. */
const SCOPE_NAMES = [
  'messages:read',
  'messages:write',
  'agents:read',
  'agents:write',
  'events:read',
  'webhooks',
  'admin',
] as const satisfies readonly Scope[];

export const keysAddVerb: VerbSpec = {
  name: 'add',
  about: 'make a key for an application',
  arguments: [{ name: '<name>', about: 'what it is for' }],
  options: [
    {
      flags: '--scope <scopes>',
      about: `what it may do, separated by commas: ${SCOPE_NAMES.join(', ')}`,
      default: 'messages:read,messages:write,agents:read,events:read,webhooks',
    },
    { flags: '--agents <ids>', about: 'only for these agents, separated by commas' },
    ...GATEWAY_PLACE,
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: AdminOptions & { scope: string; agents?: string }, name: string) =>
    (await import('./keys.js')).addKey(options, name),
};
