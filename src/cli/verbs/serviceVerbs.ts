import { type Command, Option } from 'commander';
import type { RuntimeChoice } from '../../service/runtime.js';
import { act } from './act.js';

/** The verbs that make the agent a service of the Mac and look after it. */
export function serviceVerbs(program: Command): void {
  program
    .command('install')
    .description('run the agent from each login on, or put this version in the place of the one that runs')
    .addOption(
      new Option('--runtime <which>', 'a copy of node that only the agent uses, or the node that runs this')
        .choices(['private', 'current'])
        .default('private'),
    )
    .action(
      act<{ runtime: RuntimeChoice }>(async (options) =>
        (await import('../service/service.js')).install(options),
      ),
    );

  program
    .command('uninstall')
    .description('end the agent and remove its program; configuration, state and logs stay')
    .option('--purge', 'remove these as well, after a question')
    .option('--yes', 'without the question')
    .action(
      act<{ purge?: boolean; yes?: boolean }>(async ({ purge = false, yes = false, ...options }) =>
        (await import('../service/uninstall.js')).uninstall({ ...options, purge, yes }),
      ),
    );

  program
    .command('start')
    .description('start the installed agent, now and at each login')
    .action(act(async () => (await import('../service/service.js')).start()));

  program
    .command('stop')
    .description('end the installed agent in order; it stays ended, also over reboots, until `start`')
    .action(act(async () => (await import('../service/service.js')).stop()));

  program
    .command('restart')
    .description('end the installed agent in order and start it anew')
    .action(act(async () => (await import('../service/service.js')).restart()));

  program
    .command('rollback')
    .description('go back to the version that was installed before')
    .action(act(async () => (await import('../service/service.js')).rollback()));
}
