import type { VerbSpec } from '../VerbSpec.js';

export const scheduleCancelVerb: VerbSpec = {
  name: 'cancel',
  about: 'cancel a scheduled text and tell the backend',
  arguments: [{ name: '<id>', about: 'the schedule id, or the id of the command that scheduled it' }],
  run: async (options: { configPath?: string }, id: string) =>
    (await import('./schedule.js')).cancelScheduled(options, id),
};
