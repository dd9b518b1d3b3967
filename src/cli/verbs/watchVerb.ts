import type { Command } from 'commander';
import { act } from './act.js';

/** The verb that shows the monitor's stream in the terminal. */
export function watchVerb(program: Command): void {
  program
    .command('watch')
    .description('show what the agent does as it happens, one line each, over its restarts, until Ctrl-C')
    .option('--conversation <who>', 'only this one: a number, an e-mail address or a group id')
    .option(
      '--type <types>',
      'only these, with commas between: message, command, send, link, … (default: all but log)',
    )
    .option('--texts', 'with texts, and with numbers and addresses whole')
    .option('--json', 'one JSON object a line')
    .action(
      act<{ conversation?: string; type?: string; texts?: boolean; json?: boolean }>(async (options) =>
        (await import('../inspect/watchMonitor.js')).watchMonitor(options),
      ),
    );
}
