import type { VerbSpec } from '../VerbSpec.js';

export const tokenVerb: VerbSpec = {
  name: 'token',
  about: 'make a token from the configured secret, and show commands to try the backend with',
  options: [{ flags: '--print', about: 'print only the token, even if stdout is not a terminal' }],
  run: async (options: { configPath?: string; print?: boolean }) =>
    (await import('./token.js')).token(options),
  usesSecrets: true,
};
