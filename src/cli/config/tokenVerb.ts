import type { VerbSpec } from '../VerbSpec.js';

export const tokenVerb: VerbSpec = {
  name: 'token',
  about: 'make a token from the configured secret, and show how to try the backend with it',
  options: [{ flags: '--print', about: 'print nothing but the token, also where stdout is no terminal' }],
  run: async (options: { configPath?: string; print?: boolean }) =>
    (await import('./token.js')).token(options),
};
