import type { VerbSpec } from '../VerbSpec.js';
import type { ConformanceFlags } from './conformanceTarget.js';

export const conformanceVerb: VerbSpec = {
  name: 'conformance',
  about: 'play an agent against a backend and say what is wrong with it (exit 0 nothing, 1 something)',
  arguments: [{ name: '<backend-url>', about: 'the backend that is judged' }],
  options: [
    {
      flags: '--secret-file <file>',
      about: 'where the shared secret is read from (default: $EDGE_SECRET)',
    },
    {
      flags: '--send-url <url>',
      about: 'where a text is handed to it (default: <backend-url>/api/send-message)',
    },
    {
      flags: '--send-key-file <file>',
      about: 'where the key for that is read from (default: $EDGE_ADMIN_KEY)',
    },
    {
      flags: '--registration-token-file <file>',
      about: 'where a registration token is read from (default: $REGISTRATION_TOKEN, else there is none)',
    },
    {
      flags: '--phone <number>',
      about: 'the number of the agent that is played (default: one that nobody has)',
    },
    { flags: '--agent-id <id>', about: 'its id (default: edge_ and the digits of that number)' },
    { flags: '--no-reflex', about: 'the backend sends no reflexes' },
    { flags: '--only <ids>', about: 'only these checks, and what they need; with commas between them' },
    { flags: '--slow', about: 'also the checks that take a minute' },
    { flags: '--json', about: 'print JSON' },
    { flags: '--junit <file>', about: 'also write JUnit XML, for CI' },
    { flags: '--yes', about: 'do not ask before it begins' },
  ],
  run: async (options: ConformanceFlags, address: string) =>
    (await import('./conformance.js')).conformance(options, address),
};
