import { type Command, Option } from 'commander';
import { act } from './act.js';
import { refuseStrangers } from './refuseStrangers.js';
import { wholeNumber } from './wholeNumber.js';

const LEVELS = ['debug', 'info', 'warn', 'error'];

interface Json {
  json?: boolean;
}

/** The verbs that show what the agent does, and what waits in it. */
export function lookingVerbs(program: Command): void {
  program
    .command('status')
    .description('ask the running agent how it is (exit 0 healthy, 3 not running, 4 degraded, 5 cannot tell)')
    .option('--json', 'print JSON')
    .option('--watch', 'again every second, until Ctrl-C')
    .action(
      act<Json & { watch?: boolean }>(async ({ watch, ...options }) =>
        watch === true
          ? (await import('../inspect/watch.js')).watch(options)
          : (await import('../inspect/status.js')).status(options),
      ),
    );

  program
    .command('logs')
    .description('show the log, from its rotated files too; works without a running agent')
    .option('-f, --follow', 'go on with what is written, until Ctrl-C')
    .option('-n, --lines <count>', 'the newest lines (default: 50; with --since or --id: all)', wholeNumber)
    .option('--since <time>', 'not older than: 10m, 2h, 1d, or a time such as 2026-12-24T18:30')
    .addOption(
      // Judged with the other options of `logs`, in whatever case it is written.
      new Option('--level <level>', 'nothing that is less grave').choices(LEVELS).argParser(String),
    )
    .option('--grep <pattern>', 'lines that this regular expression fits')
    .option('--id <id>', 'lines that carry this id: of a message, a command, a text …')
    .option('--json', 'one JSON object a line')
    .action(act(async (options) => (await import('../inspect/logs.js')).logs(options)));

  queueVerbs(program);
  commandVerbs(program);
  scheduleVerbs(program);
}

function queueVerbs(program: Command): void {
  const queue = program
    .command('queue')
    .description('messages that were put aside because the backend refused them');
  refuseStrangers(queue);
  queue
    .command('list', { isDefault: true })
    .description('which messages were set aside, and why')
    .option('--json', 'print JSON')
    .action(act<Json>(async (options) => (await import('../send/queue.js')).listQueue(options)));
  for (const change of ['retry', 'drop'] as const) {
    queue
      .command(change)
      .argument('<guid>', 'of the message, or "all"')
      .description(
        change === 'retry'
          ? 'post a message that was set aside again'
          : 'give a message that was set aside up for good',
      )
      .action(
        act<object, [string]>(async (options, guid) =>
          (await import('../send/queue.js')).changeQueue(options, change, guid),
        ),
      );
  }
}

function commandVerbs(program: Command): void {
  const commands = program
    .command('commands')
    .description('what the agent was told to do, and what came of it');
  refuseStrangers(commands);
  commands
    .command('list', { isDefault: true })
    .description('the newest commands, the newest first')
    .option('-n, --lines <count>', 'how many', wholeNumber, 20)
    .option('--open', 'only those that have not ended')
    .option('--json', 'print JSON')
    .action(
      act<Json & { lines: number; open?: boolean }>(async (options) =>
        (await import('../inspect/commands.js')).listCommands(options),
      ),
    );
  commands
    .command('show')
    .argument('<id>', 'the command id')
    .description('one command from its receipt to the ack that the backend read, with times')
    .option('--json', 'print JSON')
    .action(
      act<Json, [string]>(async (options, id) =>
        (await import('../inspect/commands.js')).showCommand(options, id),
      ),
    );
}

function scheduleVerbs(program: Command): void {
  const schedule = program.command('schedule').description('texts that are to be sent later');
  refuseStrangers(schedule);
  schedule
    .command('list', { isDefault: true })
    .description('what is scheduled, the earliest first')
    .option('--all', 'also what was sent, failed or was cancelled in the last days')
    .option('--texts', 'with their texts')
    .option('--json', 'print JSON')
    .action(
      act<Json & { all?: boolean; texts?: boolean }>(async (options) =>
        (await import('../send/schedule.js')).listSchedule(options),
      ),
    );
  schedule
    .command('cancel')
    .argument('<id>', 'the schedule id, or the id of the command that scheduled it')
    .description('take a scheduled text back; the backend is told')
    .action(
      act<object, [string]>(async (options, id) =>
        (await import('../send/schedule.js')).cancelScheduled(options, id),
      ),
    );
}
