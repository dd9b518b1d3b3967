import { hostPlatform } from '../../system/programs.js';
import type { VerbSpec } from '../VerbSpec.js';
import type { SetupFlags } from './setupFlags.js';

export const setupVerb: VerbSpec = {
  name: 'setup',
  about: 'the first run: asks, writes config.yaml and .env, looks whether all is well, offers to install',
  options: [
    { flags: '--yes', about: 'ask nothing: for scripts' },
    { flags: '--backend-url <url>', about: 'where the backend is' },
    { flags: '--phone <number>', about: 'the number that this Mac sends from, such as +13105550100' },
    { flags: '--secret-file <file>', about: 'where the shared secret is read from' },
    { flags: '--secret-stdin', about: 'read the shared secret from stdin (with --yes)' },
    { flags: '--keychain', about: 'keep the secret in the Keychain instead of .env' },
    { flags: '--force', about: 'replace what is there already' },
    { flags: '--install', about: 'install the service as well' },
  ],
  examples: [['setup', 'the first run: asks and checks']],
  run: async (options: Partial<SetupFlags> & { configPath?: string }) =>
    (await import('./setup.js')).setup(
      { yes: false, force: false, install: false, ...options },
      hostPlatform() === 'darwin' ? install : undefined,
    ),
};

const install = async (options: { configPath: string }) =>
  (await import('../service/service.js')).install(options);
