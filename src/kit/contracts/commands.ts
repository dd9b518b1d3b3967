import type { z } from 'zod';
import type { Aliases } from '../../commands/Handler.js';
import { cancelScheduledContract } from '../../commands/handlers/cancelScheduled.js';
import { contextResetContract, contextUpdateContract } from '../../commands/handlers/contexts.js';
import { emitEventContract } from '../../commands/handlers/emitEvent.js';
import { listScheduledContract } from '../../commands/handlers/listScheduled.js';
import { scheduleMessageContract } from '../../commands/handlers/scheduleMessage.js';
import { sendMessageContract } from '../../commands/handlers/sendMessage.js';
import { updateConfigContract } from '../../commands/handlers/updateConfig.js';
import { uploadRetryContract } from '../../commands/handlers/uploadRetry.js';

/** A command type with the very schema by which its handler reads the payload. */
interface CommandContract {
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
