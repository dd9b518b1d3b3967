import type { VerbGroup } from '../VerbSpec.js';
import { agentsAddVerb } from './agentsAddVerb.js';
import { agentsListVerb } from './agentsListVerb.js';
import { agentsRemoveVerb } from './agentsRemoveVerb.js';
import { agentsRotateVerb } from './agentsRotateVerb.js';
import { agentsShowVerb } from './agentsShowVerb.js';
import { gatewayRunVerb } from './gatewayRunVerb.js';
import { keysAddVerb } from './keysAddVerb.js';
import { keysListVerb } from './keysListVerb.js';
import { keysRevokeVerb } from './keysRevokeVerb.js';
import { rekeyVerb } from './rekeyVerb.js';
import { webhooksAddVerb } from './webhooksAddVerb.js';
import { webhooksDeliveriesVerb } from './webhooksDeliveriesVerb.js';
import { webhooksListVerb } from './webhooksListVerb.js';
import { webhooksRemoveVerb } from './webhooksRemoveVerb.js';
import { webhooksReplayVerb } from './webhooksReplayVerb.js';
import { webhooksRotateVerb } from './webhooksRotateVerb.js';

/** The server that agents connect to, and what its operator does with it. */
export const gatewayVerbs: VerbGroup = {
  name: 'gateway',
  about: 'run the server that agents connect to; manage its agents, keys and webhooks',
  verbs: [
    gatewayRunVerb,
    {
      name: 'agents',
      about: 'the Macs that may connect',
      verbs: [agentsAddVerb, agentsListVerb, agentsShowVerb, agentsRotateVerb, agentsRemoveVerb],
      default: agentsListVerb,
    },
    {
      name: 'keys',
      about: 'the keys of applications',
      verbs: [keysAddVerb, keysListVerb, keysRevokeVerb],
      default: keysListVerb,
    },
    {
      name: 'webhooks',
      about: 'where events are posted, and their deliveries',
      verbs: [
        webhooksAddVerb,
        webhooksListVerb,
        webhooksRotateVerb,
        webhooksRemoveVerb,
        webhooksDeliveriesVerb,
        webhooksReplayVerb,
      ],
      default: webhooksListVerb,
    },
    rekeyVerb,
  ],
  default: gatewayRunVerb,
};
