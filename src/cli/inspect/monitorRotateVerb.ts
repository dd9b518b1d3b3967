import type { VerbSpec } from '../VerbSpec.js';

export const monitorRotateVerb: VerbSpec = {
  name: 'rotate',
  about: 'revoke every token and end every session',
  run: async (options: { configPath?: string }) => (await import('./monitor.js')).monitorRotate(options),
};
