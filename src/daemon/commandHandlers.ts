import type { Handler } from '../commands/Handler.js';
import { cancelScheduled } from '../commands/handlers/cancelScheduled.js';
import { type ContextPorts, contextReset, contextUpdate } from '../commands/handlers/contexts.js';
import { type EventQueue, emitEvent } from '../commands/handlers/emitEvent.js';
import { listScheduled } from '../commands/handlers/listScheduled.js';
import { scheduleMessage } from '../commands/handlers/scheduleMessage.js';
import { type SendMessagePorts, sendMessage } from '../commands/handlers/sendMessage.js';
import { type RemoteConfig, updateConfig } from '../commands/handlers/updateConfig.js';
import { type UploadQueue, uploadRetry } from '../commands/handlers/uploadRetry.js';

/** Every command type that this agent knows. */
export function commandHandlers(
  ports: SendMessagePorts & ContextPorts & { config: RemoteConfig; events: EventQueue; uploads: UploadQueue },
): Handler[] {
  return [
    sendMessage(ports),
    scheduleMessage(ports),
    cancelScheduled(ports.schedule),
    listScheduled(ports.schedule),
    updateConfig(ports.config),
    contextUpdate(ports),
    contextReset(ports),
    emitEvent(ports.events),
    uploadRetry(ports.uploads),
  ];
}
