import type { VerbSpec } from '../VerbSpec.js';
import type { ConformanceFlags } from './conformanceTarget.js';

export const conformanceVerb: VerbSpec = {
  name: 'conformance',
  about: 'test a backend by acting as an agent (exit 0 conforming, 1 not)',
  arguments: [{ name: '<backend-url>', about: 'the backend to test' }],
  options: [
    {
      flags: '--secret-file <file>',
      about: 'a file with the shared secret (default: $EDGE_SECRET)',
    },
    {
      flags: '--auth <mode>',
      choices: ['token', 'secret'],
      about:
        'token: sign with the secret (default); secret: send the secret itself, for a backend that takes nothing else',
    },
    {
      flags: '--send-url <url>',
      about: 'its endpoint for sending a text (default: <backend-url>/api/send-message)',
    },
    {
      flags: '--send-key-file <file>',
      about: 'a file with the key for that endpoint (default: $EDGE_ADMIN_KEY)',
    },
    {
      flags: '--registration-token-file <file>',
      about: 'a file with a registration token (default: $REGISTRATION_TOKEN, or none)',
    },
    {
      flags: '--phone <number>',
      about: 'the phone number to use (default: a fictitious one)',
    },
    { flags: '--agent-id <id>', about: 'the agent id to use (default: edge_ and the digits of that number)' },
    { flags: '--no-reflex', about: 'the backend sends no reflexes' },
    { flags: '--only <ids>', about: 'run only these checks and what they need (comma-separated)' },
    { flags: '--slow', about: 'include the checks that take a minute' },
    { flags: '--json', about: 'print JSON' },
    { flags: '--junit <file>', about: 'also write JUnit XML, for CI' },
    { flags: '--yes', about: 'do not ask for confirmation' },
  ],
  run: async (options: ConformanceFlags, address: string) =>
    (await import('./conformance.js')).conformance(options, address),
};
