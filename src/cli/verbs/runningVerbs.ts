import type { Command } from 'commander';
import { act } from './act.js';

/** The verbs that run the agent and tell it what to do. */
export function runningVerbs(program: Command): void {
  program
    .command('run')
    .option('--service', 'wait for what a person has to mend instead of ending, as launchd has it run')
    .description('run the agent in the foreground')
    .action(
      act<{ service?: boolean }>(async ({ service = false, ...options }) =>
        service
          ? (await import('../run/runService.js')).runService(options)
          : (await import('../run/run.js')).run({ ...options, service }),
      ),
    );

  program
    .command('kick')
    .description(
      'connect to the backend now: anew if the link is up, else without waiting for the next attempt',
    )
    .action(act(async (options) => (await import('../send/kick.js')).kick(options)));

  program
    .command('pause')
    .argument('[conversation]', 'a number, an e-mail address or a group id; none: everything')
    .option('--incoming', 'what comes in waits too: it is stored, and posted once it is resumed')
    .description('let nothing more go out until it is resumed; texts wait')
    .action(
      act<{ incoming?: boolean }, [string | undefined]>(async (options, conversation) =>
        (await import('../send/pauses.js')).pause(options, conversation),
      ),
    );

  program
    .command('resume')
    .argument('[conversation]', 'as `status` names it; none: what `pause` stopped; "all": every pause')
    .option('--incoming', 'only what comes in; texts go on waiting')
    .description('let it go on')
    .action(
      act<{ incoming?: boolean }, [string | undefined]>(async (options, conversation) =>
        (await import('../send/pauses.js')).resume(options, conversation),
      ),
    );

  program
    .command('send')
    .argument('<to>', 'a number, an e-mail address or a group id')
    .argument('[text]', 'the text, or - for what stands on stdin; may be left out beside --file')
    .option('--file <path>', 'a file to send, behind the text')
    .option('--at <time>', 'when: 18:30, 2026-12-24T18:30 (local unless it has a zone), or in 10m')
    .option('--timeout <time>', 'how long to wait for the outcome: 90s, 5m; 0s: not at all', '60s')
    .option('--json', 'print JSON')
    .description('send a text or a file by the agent (exit 0 sent, 1 not sent, 5 nobody can tell yet)')
    .action(
      act<{ file?: string; at?: string; timeout: string; json?: boolean }, [string, string | undefined]>(
        async (options, to, text) => (await import('../send/send.js')).send(options, to, text),
      ),
    );
}
