import type { VerbSpec } from '../VerbSpec.js';

export const runVerb: VerbSpec = {
  name: 'run',
  about: 'run the agent in the foreground',
  options: [
    {
      flags: '--service',
      about: 'wait for an operator to fix problems instead of exiting (used by launchd)',
    },
  ],
  examples: [['run', 'in the foreground, until Ctrl-C'], ['run --config ./config.yaml']],
  run: async ({ service = false, ...options }: { configPath?: string; service?: boolean }) =>
    service
      ? (await import('./runService.js')).runService(options)
      : (await import('./run.js')).run({ ...options, service }),
  usesSecrets: true,
};
