import type { VerbSpec } from '../VerbSpec.js';

export const scheduleListVerb: VerbSpec = {
  name: 'list',
  about: 'what is scheduled, the earliest first',
  options: [
    { flags: '--all', about: 'also what was sent, failed or was cancelled in the last days' },
    { flags: '--texts', about: 'with their texts' },
    { flags: '--json', about: 'print JSON' },
  ],
  run: async (options: { configPath?: string; json?: boolean; all?: boolean; texts?: boolean }) =>
    (await import('./schedule.js')).listSchedule(options),
};
