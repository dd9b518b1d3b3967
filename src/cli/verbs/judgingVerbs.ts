import type { Command } from 'commander';
import type { ConformanceFlags } from '../dev/conformanceTarget.js';
import type { RecordFlags } from '../dev/record.js';
import type { ReplayFlags } from '../dev/replay.js';
import { act } from './act.js';

/** The verbs for whoever writes a backend: to have it judged, and to see again what happened between it and an agent. */
export function judgingVerbs(program: Command): void {
  program
    .command('conformance')
    .argument('<backend-url>', 'the backend that is judged')
    .description(
      'play an agent against a backend and say what is wrong with it (exit 0 nothing, 1 something)',
    )
    .option('--secret-file <file>', 'where the shared secret is read from (default: $EDGE_SECRET)')
    .option('--send-url <url>', 'where a text is handed to it (default: <backend-url>/api/send-message)')
    .option('--send-key-file <file>', 'where the key for that is read from (default: $EDGE_ADMIN_KEY)')
    .option(
      '--registration-token-file <file>',
      'where a registration token is read from (default: $REGISTRATION_TOKEN, else there is none)',
    )
    .option('--phone <number>', 'the number of the agent that is played (default: one that nobody has)')
    .option('--agent-id <id>', 'its id (default: edge_ and the digits of that number)')
    .option('--no-reflex', 'the backend sends no reflexes')
    .option('--only <ids>', 'only these checks, and what they need; with commas between them')
    .option('--slow', 'also the checks that take a minute')
    .option('--json', 'print JSON')
    .option('--junit <file>', 'also write JUnit XML, for CI')
    .option('--yes', 'do not ask before it begins')
    .action(
      act<ConformanceFlags, [string]>(async (options, address) =>
        (await import('../dev/conformance.js')).conformance(options, address),
      ),
    );

  program
    .command('record')
    .argument('<backend-url>', 'the backend that the agent talks to')
    .description('stand between an agent and its backend and write down what passes, redacted')
    .option('--listen <port>', 'the port on this machine that the agent is to talk to', '8799')
    .option('--out <file>', 'where it is written (default: edge-agent-<time>.jsonl)')
    .option('--most-mb <megabytes>', 'how large it may become', '20')
    .action(
      act<RecordFlags, [string]>(async (options, address) =>
        (await import('../dev/record.js')).record(options, address),
      ),
    );

  program
    .command('replay')
    .argument('<transcript>', 'what edge-agent record has written')
    .description("play the agent's side of it to a backend, or the backend's to an agent")
    .option(
      '--to <backend-url>',
      'play the agent to this backend (exit 1 if it does not do what it did then)',
    )
    .option('--listen <port>', 'play the backend on this port')
    .option('--speed <factor>', 'how much faster than it happened', '1')
    .option('--secret-file <file>', 'with --to: where the shared secret is read from (default: $EDGE_SECRET)')
    .option(
      '--phone <number>',
      'with --to: the number of the agent that is played (default: one that nobody has)',
    )
    .option('--agent-id <id>', 'with --to: its id (default: edge_ and the digits of that number)')
    .option('--yes', 'with --to: do not ask before it begins')
    .action(
      act<ReplayFlags, [string]>(async (options, path) =>
        (await import('../dev/replay.js')).replay(options, path),
      ),
    );
}
