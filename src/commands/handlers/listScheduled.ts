import { z } from 'zod';
import { type Handler, handlerOf } from '../Handler.js';
import type { TextSchedule } from '../ports.js';

const STATES = ['pending', 'sending', 'sent', 'failed', 'cancelled'] as const;
const schema = z.object({
  status: z.enum(STATES, `one of ${STATES.join(', ')}`).optional(),
});

/** What `list_scheduled` takes. */
export const listScheduledContract = { types: ['list_scheduled'], aliases: {}, schema };

/** `list_scheduled`: the result lists scheduled texts, the earliest first. */
export function listScheduled(schedule: TextSchedule): Handler {
  return handlerOf({
    ...listScheduledContract,
    run(_command, payload) {
      const scheduled = schedule.list(payload.status);
      return { kind: 'completed', result: { scheduled, count: scheduled.length } };
    },
  });
}
