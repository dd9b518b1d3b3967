import type { VerbSpec } from '../VerbSpec.js';

export const scheduleListVerb: VerbSpec = {
  name: 'list',
  about: 'list the scheduled texts, earliest first',
  options: [
    { flags: '--all', about: 'include those sent, failed or cancelled in the last days' },
    { flags: '--texts', about: 'include the texts' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; json?: boolean; all?: boolean; texts?: boolean }) =>
    (await import('./schedule.js')).listSchedule(options),
};
