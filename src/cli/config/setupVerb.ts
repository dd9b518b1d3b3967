import { hostPlatform } from '../../system/programs.js';
import type { VerbSpec } from '../VerbSpec.js';
import type { SetupFlags } from './setupFlags.js';

export const setupVerb: VerbSpec = {
  name: 'setup',
  about: 'first run: ask, write config.yaml and .env, check everything, offer to install',
  options: [
    { flags: '--yes', about: 'do not ask (for scripts)' },
    { flags: '--backend-url <url>', about: 'the URL of the backend' },
    { flags: '--phone <number>', about: 'the number that this Mac sends from, such as +13105550100' },
    { flags: '--secret-file <file>', about: 'a file with the shared secret' },
    { flags: '--secret-stdin', about: 'read the shared secret from stdin (with --yes)' },
    { flags: '--keychain', about: 'keep the secret in the Keychain instead of .env' },
    { flags: '--force', about: 'change existing settings without asking' },
    { flags: '--install', about: 'also install the service' },
  ],
  examples: [['setup', 'first run: asks, and checks everything']],
  run: async (options: Partial<SetupFlags> & { configPath?: string }) =>
    (await import('./setup.js')).setup(
      { yes: false, force: false, install: false, ...options },
      hostPlatform() === 'darwin' ? install : undefined,
    ),
};

const install = async (options: { configPath: string }) =>
  (await import('../service/service.js')).install(options);
