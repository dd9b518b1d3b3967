import type { VerbSpec } from '../VerbSpec.js';

export const alertsTestVerb: VerbSpec = {
  name: 'test',
  about: 'send a test alert to the webhook and to this Mac, as they are configured',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./alertsTest.js')).alertsTest(options),
  usesSecrets: true,
};
