import type { VerbSpec } from '../VerbSpec.js';

export const scheduleCancelVerb: VerbSpec = {
  name: 'cancel',
  about: 'cancel a scheduled text and tell the backend',
  arguments: [
    {
      name: '<id>',
      about: 'the schedule id, or that of the command that scheduled it, or its unique beginning',
      completes: 'schedule',
    },
  ],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, id: string) =>
    (await import('./schedule.js')).cancelScheduled(options, id),
};
