import type { Command } from 'commander';
import { act } from './act.js';

/** The verbs about the local real-time channel and its page. */
export function monitorVerbs(program: Command): void {
  const monitor = program
    .command('monitor')
    .description('the page and the real-time channel for operators, on this machine only');
  monitor
    .command('open')
    .option('--user <name>', 'who watches (default: your login)')
    .option('--print', 'print the address instead of opening a browser')
    .description('open the page in the browser; the link is good once, for two minutes')
    .action(
      act<{ user?: string; print?: boolean }>(async (options) =>
        (await import('../inspect/monitor.js')).monitorOpen(options),
      ),
    );
  monitor
    .command('token')
    .option('--user <name>', 'who watches (default: your login)')
    .option('--ttl <time>', 'how long it is good: 30m, 12h, 7d (default: 12h)')
    .description('print a token for programs: ws://127.0.0.1:3100/ws?token=…')
    .action(
      act<{ user?: string; ttl?: string }>(async (options) =>
        (await import('../inspect/monitor.js')).monitorToken(options),
      ),
    );
  monitor
    .command('rotate')
    .description('make every token worthless and end every session')
    .action(act(async (options) => (await import('../inspect/monitor.js')).monitorRotate(options)));
}
