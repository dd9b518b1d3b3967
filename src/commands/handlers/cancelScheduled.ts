import { z } from 'zod';
import { filled, type Handler, handlerOf } from '../Handler.js';
import type { TextSchedule } from '../ports.js';

const schema = z.object({
  schedule_id: filled('the schedule id, or the command_id that scheduled the text'),
});

/** What `cancel_scheduled` takes. */
export const cancelScheduledContract = {
  types: ['cancel_scheduled', 'cancel_message'],
  aliases: { schedule_id: ['message_id'] },
  schema,
};

/** `cancel_scheduled`: takes a text back if it is still to be sent; else fails with the state that it is in. */
export function cancelScheduled(schedule: TextSchedule): Handler {
  return handlerOf({
    ...cancelScheduledContract,
    run(command, payload) {
      const cancelled = schedule.cancel(payload.schedule_id, command.commandId);
      switch (cancelled.kind) {
        case 'cancelled':
          return { kind: 'completed', result: { schedule_id: cancelled.scheduleId } };
        case 'refused': {
          const message = `${payload.schedule_id} cannot be cancelled: it is ${cancelled.state}.`;
          return { kind: 'failed', code: null, message, result: { state: cancelled.state } };
        }
        case 'notFound': {
          const message = `There is no scheduled text ${payload.schedule_id}.`;
          return { kind: 'failed', code: 'schedule_unknown', message };
        }
      }
    },
  });
}
