import { z } from 'zod';
import type { ReceivedCommand } from '../../model/command.js';
import type { TextQueue } from '../../model/sending.js';
import { filled, type Handler, handlerOf, THREAD_ALIASES, threadId } from '../Handler.js';
import { type ConversationKeyOf, PRIORITY_RANK } from '../ports.js';

/** What the backend keeps with a conversation; called inside a write. */
interface ConversationContexts {
  set(conversation: string, context: Record<string, unknown>): void;
  /** True if there was one. */
  delete(conversation: string): boolean;
}

export interface ContextPorts {
  contexts: ConversationContexts;
  texts: TextQueue;
  conversationKey: ConversationKeyOf;
}

const notifyText = filled('a text').nullish();

const update = z.object({
  thread_id: threadId,
  app_id: filled('the id of an app'),
  room_id: z.string('a room id').nullish(),
  state: z.enum(['active', 'completed'], '"active" or "completed"').nullish(),
  metadata: z.record(z.string(), z.unknown(), 'an object').nullish(),
  notify_text: notifyText,
});

const reset = z.object({
  thread_id: threadId,
  reason: z.string('a reason').nullish(),
  notify_text: notifyText,
});

/** What `context_update` takes. */
export const contextUpdateContract = { types: ['context_update'], aliases: THREAD_ALIASES, schema: update };

/** What `context_reset` takes. */
export const contextResetContract = { types: ['context_reset'], aliases: THREAD_ALIASES, schema: reset };

/** `context_update`: kept with the conversation and sent along with its next messages; the last one counts. */
export function contextUpdate(ports: ContextPorts): Handler {
  return handlerOf({
    ...contextUpdateContract,
    run(command, { thread_id, notify_text, ...context }) {
      ports.contexts.set(ports.conversationKey(thread_id), context);
      notify(ports, command, thread_id, notify_text);
      return { kind: 'completed' };
    },
  });
}

/** `context_reset`: forgets what was kept with the conversation. */
export function contextReset(ports: ContextPorts): Handler {
  return handlerOf({
    ...contextResetContract,
    run(command, { thread_id, notify_text }) {
      const had = ports.contexts.delete(ports.conversationKey(thread_id));
      notify(ports, command, thread_id, notify_text);
      return { kind: 'completed', result: { had_context: had } };
    },
  });
}

function notify(
  ports: ContextPorts,
  command: ReceivedCommand,
  to: string,
  text: string | null | undefined,
): void {
  if (text === undefined || text === null) return;
  ports.texts.enqueue({
    id: `notify:${command.commandId}`,
    conversation: ports.conversationKey(to),
    threadId: to,
    text,
    role: 'message',
    priority: PRIORITY_RANK[command.priority],
    pauseMs: 0,
  });
}
