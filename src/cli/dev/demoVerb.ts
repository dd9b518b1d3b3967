import type { VerbSpec } from '../VerbSpec.js';

export const demoVerb: VerbSpec = {
  name: 'demo',
  about: 'show the complete flow on a simulated Mac and backend, in under 30 s',
  options: [
    {
      flags: '--play',
      about: 'try it yourself: each line you type is a message, and the backend answers it',
    },
  ],
  examples: [['demo', 'the complete flow, on a simulated Mac']],
  run: async ({ play }: { play?: boolean }) =>
    play === true ? (await import('./play.js')).play() : (await import('./demo.js')).demo(),
};
