import type { Command } from 'commander';
import { hostPlatform } from '../../system/programs.js';
import type { SetupFlags } from '../config/setupFlags.js';
import { act } from './act.js';

/** The verbs that get the agent onto a Mac, and say what is wrong with it there. */
export function setupVerbs(program: Command): void {
  program
    .command('setup')
    .description(
      'the first run: asks, writes config.yaml and .env, looks whether all is well, offers to install',
    )
    .option('--yes', 'ask nothing: for scripts')
    .option('--backend-url <url>', 'where the backend is')
    .option('--phone <number>', 'the number that this Mac sends from, such as +13105550100')
    .option('--secret-file <file>', 'where the shared secret is read from')
    .option('--secret-stdin', 'read the shared secret from stdin (with --yes)')
    .option('--keychain', 'keep the secret in the Keychain instead of .env')
    .option('--force', 'replace what is there already')
    .option('--install', 'install the service as well')
    .action(
      act<Partial<SetupFlags>>(async (options) =>
        (await import('../config/setup.js')).setup(
          { yes: false, force: false, install: false, ...options },
          hostPlatform() === 'darwin' ? install : undefined,
        ),
      ),
    );

  program
    .command('doctor')
    .description('look at everything that this installation needs, and say what to mend (exit 1 if anything)')
    .option('--json', 'print JSON')
    .option('--bundle [file]', 'also write an archive for support, without texts, numbers and secrets')
    .action(
      act<{ json?: boolean; bundle?: string | true }>(async (options) =>
        (await import('../inspect/doctor.js')).doctor(options),
      ),
    );
}

const install = async (options: { configPath: string }) =>
  (await import('../service/service.js')).install(options);
