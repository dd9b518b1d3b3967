import { z } from 'zod';
import { type Handler, handlerOf } from '../Handler.js';

/** The configuration, as far as the backend may change it; called inside a write. */
export interface RemoteConfig {
  apply(settings: Record<string, unknown>): {
    applied: string[];
    refused: readonly { key: string; reason: string }[];
  };
}

/** What `update_config` takes. */
export const updateConfigContract = {
  types: ['update_config'],
  aliases: {},
  schema: z.record(z.string(), z.unknown()),
};

/** `update_config`: the same as a `config_update` frame, with an ack that names what was applied and what was refused. */
export function updateConfig(config: RemoteConfig): Handler {
  return handlerOf({
    ...updateConfigContract,
    run(_command, payload) {
      const wrapped = payload.settings ?? payload.config;
      const isWrapped = typeof wrapped === 'object' && wrapped !== null && Object.keys(payload).length === 1;
      const { applied, refused } = config.apply(isWrapped ? (wrapped as Record<string, unknown>) : payload);
      const result = { applied, refused };
      if (refused.length === 0) return { kind: 'completed', result };
      const message = refused.map(({ key, reason }) => `payload.${key}: ${reason}`).join('; ');
      return { kind: 'failed', code: 'invalid_payload', message, result };
    },
  });
}
