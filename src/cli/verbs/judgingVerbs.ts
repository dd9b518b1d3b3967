import type { Command } from 'commander';
import type { ConformanceFlags } from '../conformanceTarget.js';
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
        (await import('../conformance.js')).conformance(options, address),
      ),
    );
}
