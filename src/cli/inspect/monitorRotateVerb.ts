import type { VerbSpec } from '../VerbSpec.js';

export const monitorRotateVerb: VerbSpec = {
  name: 'rotate',
  about: 'revoke every token and end every session',
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }) =>
    (await import('./monitor.js')).monitorRotate(options),
};
