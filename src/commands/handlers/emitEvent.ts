import { z } from 'zod';
import type { EventType } from '../../model/events.js';
import { filled, type Handler, handlerOf } from '../Handler.js';

/** Where events for the backend go; called inside a write. */
export interface EventQueue {
  add(event: { eventType: EventType; threadId?: string; details: Record<string, unknown> }): void;
}

const schema = z.object({
  event_type: filled('the type of an event'),
  thread_id: z.string('a thread id').nullish(),
  event_data: z.record(z.string(), z.unknown(), 'an object').nullish(),
});

/** What `emit_event` takes. */
export const emitEventContract = {
  types: ['emit_event'],
  aliases: { event_data: ['data'] },
  schema,
};

/** `emit_event`: reported back to the backend as the event `backend_<type>`. */
export function emitEvent(events: EventQueue): Handler {
  return handlerOf({
    ...emitEventContract,
    run(_command, { event_type, thread_id, event_data }) {
      events.add({
        eventType: `backend_${event_type}`,
        details: event_data ?? {},
        ...(thread_id === null || thread_id === undefined ? {} : { threadId: thread_id }),
      });
      return { kind: 'completed' };
    },
  });
}
