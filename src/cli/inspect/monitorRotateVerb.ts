import type { VerbSpec } from '../VerbSpec.js';

export const monitorRotateVerb: VerbSpec = {
  name: 'rotate',
  about: 'make every token worthless and end every session',
  run: async (options: { configPath?: string }) => (await import('./monitor.js')).monitorRotate(options),
};
