import { Argument, type Command } from 'commander';
import { SHELLS } from '../completions.js';
import type { DevBackendOptions } from '../dev/devBackend.js';
import { act } from './act.js';
import { judgingVerbs } from './judgingVerbs.js';

/** The verbs to try the agent with, and for the shell. */
export function tryingVerbs(program: Command): void {
  program
    .command('selftest')
    .description('put every assumption about this Mac to the test, with or without a running agent')
    .option('--json', 'print JSON')
    .option('--send', 'also send a real text to your own number (asked first at a terminal)')
    .action(
      act<{ json?: boolean; send?: boolean }>(async (options) =>
        (await import('../inspect/selftest.js')).selftest(options),
      ),
    );

  program
    .command('demo')
    .description('show the whole job on a simulated Mac and backend, in under 30 s')
    .option('--play', 'try it yourself: each line you type is a message, and the backend answers it')
    .action(
      act<{ play?: boolean }>(async ({ play }) =>
        play === true ? (await import('../dev/play.js')).play() : (await import('../dev/demo.js')).demo(),
      ),
    );

  program
    .command('dev-backend')
    .description('run a backend to try the agent against')
    .option('--port <port>', 'the port to listen on', '8787')
    .option('--host <address>', 'the address; any but loopback demands a secret of its own', '127.0.0.1')
    .option('--secret <secret>', 'the shared secret (default: $EDGE_SECRET, else "dev-secret")')
    .option('--admin-key <key>', 'to send and for statistics (default: $EDGE_ADMIN_KEY, else the secret)')
    .option(
      '--persona <name>',
      'who answers: echo, scripted, slow, silent, or a file like ./persona.mjs',
      'echo',
    )
    .option(
      '--data <file>',
      'where commands wait, through restarts; ":memory:" for none',
      './dev-backend.sqlite',
    )
    .option('--rate <requests>', 'requests a second of one agent; 0 for any number', '100')
    .action(
      act<DevBackendOptions>(async (options) => (await import('../dev/devBackend.js')).devBackend(options)),
    );

  program
    .command('dev-messages')
    .description(
      'play Messages on a machine that has none: each line typed is a message, what is sent is printed',
    )
    .option('--dir <directory>', 'where chat.db and osascript are put', './dev-messages')
    .option('--from <handle>', 'who writes the messages', '+13105551234')
    .action(
      act<{ dir: string; from: string }>(async ({ dir, from }) =>
        (await import('../dev/devMessages.js')).devMessages({ directory: dir, from }),
      ),
    );

  judgingVerbs(program);

  program
    .command('completions')
    .addArgument(new Argument('<shell>', 'whose script is printed').choices(SHELLS))
    .description('print the script by which a shell completes verbs and options')
    .action(
      act<object, [(typeof SHELLS)[number]]>(async (_options, shell) =>
        (await import('../completions.js')).completions(shell),
      ),
    );
}
