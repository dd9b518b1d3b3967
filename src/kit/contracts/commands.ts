import type { z } from 'zod';
import { cancelScheduledContract } from '../../commands/handlers/cancelScheduled.js';
import { contextResetContract, contextUpdateContract } from '../../commands/handlers/contexts.js';
import { emitEventContract } from '../../commands/handlers/emitEvent.js';
import { listScheduledContract } from '../../commands/handlers/listScheduled.js';
import { scheduleMessageContract } from '../../commands/handlers/scheduleMessage.js';
import { sendMessageContract } from '../../commands/handlers/sendMessage.js';
import { updateConfigContract } from '../../commands/handlers/updateConfig.js';
import { uploadRetryContract } from '../../commands/handlers/uploadRetry.js';
import type { Aliases } from '../../commands/payload.js';
import type { JsonSchema } from './jsonSchemas.js';

/** A command type with the very schema by which its handler reads the payload. */
export interface CommandContract {
  readonly types: readonly string[];
  readonly aliases: Aliases;
  readonly schema: z.ZodType;
}

export const COMMANDS: Readonly<Record<string, CommandContract>> = {
  SendMessagePayload: sendMessageContract,
  ScheduleMessagePayload: scheduleMessageContract,
  CancelScheduledPayload: cancelScheduledContract,
  ListScheduledPayload: listScheduledContract,
  UpdateConfigPayload: updateConfigContract,
  ContextUpdatePayload: contextUpdateContract,
  ContextResetPayload: contextResetContract,
  EmitEventPayload: emitEventContract,
  UploadRetryPayload: uploadRetryContract,
};

/** The schema of a payload with the other names that its fields may have; a field that is required may come under any. */
export function withAliases(payload: JsonSchema, aliases: Aliases): JsonSchema {
  if (Array.isArray(payload.anyOf)) {
    return { ...payload, anyOf: (payload.anyOf as JsonSchema[]).map((one) => withAliases(one, aliases)) };
  }
  const properties = { ...(payload.properties as Record<string, JsonSchema> | undefined) };
  let required = [...((payload.required as string[] | undefined) ?? [])];
  const oneOfTheNames: JsonSchema[] = [];
  for (const [field, others] of Object.entries(aliases)) {
    const own = properties[field];
    if (own === undefined) continue;
    for (const other of others) properties[other] = { ...own, description: `Another name of ${field}.` };
    if (!required.includes(field)) continue;
    required = required.filter((name) => name !== field);
    oneOfTheNames.push({ anyOf: [field, ...others].map((name) => ({ required: [name] })) });
  }
  const { required: _, ...rest } = payload;
  return {
    ...rest,
    ...(payload.properties === undefined ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    ...(oneOfTheNames.length === 0 ? {} : { allOf: oneOfTheNames }),
  };
}
