import { Command, CommanderError } from 'commander';
import { packageVersion } from '../system/version.js';
import { EXIT } from './exitCodes.js';
import { serviceVerbs } from './verbs/serviceVerbs.js';

const EXAMPLES = `
Examples:
  $ edge-agent run                         run in the foreground; Ctrl-C drains and stops
  $ edge-agent run --config ./config.yaml
  $ edge-agent status                      what the running agent does, and why it does not
  $ edge-agent status --json
  $ edge-agent install                     run it from each login on; again: upgrade
  $ edge-agent demo                        the whole story in one terminal, on a simulated Mac
  $ edge-agent dev-backend --port 8787     a backend to try the agent against
`;

const program = new Command('edge-agent')
  .description('Joins iMessage on this Mac to a backend. Nothing lost, nothing twice.')
  .version(packageVersion())
  .option('--config <file>', 'the configuration file (default: see the README)')
  .addHelpText('after', EXAMPLES)
  .exitOverride()
  .showSuggestionAfterError()
  .configureOutput({ outputError: (text, write) => write(text) });

program
  .command('run')
  .description('run the agent in the foreground')
  .option('--service', 'wait for what a person has to mend instead of ending, as launchd has it run')
  .action(async (options: { service?: boolean }) =>
    options.service === true
      ? finish((await import('./runService.js')).runService(configOption()))
      : finish((await import('./run.js')).run({ ...configOption(), service: false })),
  );

program
  .command('status')
  .description('ask the running agent how it is (exit 0 healthy, 3 not running, 4 degraded, 5 cannot tell)')
  .option('--json', 'print JSON')
  .action(async (options: { json?: boolean }) =>
    finish((await import('./status.js')).status({ ...configOption(), json: options.json ?? false })),
  );

program
  .command('kick')
  .description('try the backend now instead of waiting for the next attempt')
  .action(async () => finish((await import('./kick.js')).kick(configOption())));

program
  .command('pause')
  .argument('[conversation]', 'a number, an e-mail address or a group id; none: everything')
  .description('let nothing more go out until it is resumed; texts wait')
  .action(async (conversation: string | undefined) =>
    finish((await import('./pauses.js')).pause(configOption(), conversation)),
  );

program
  .command('resume')
  .argument('<conversation>', 'as `status` names it, or "all"')
  .description('let texts go out again')
  .action(async (conversation: string) =>
    finish((await import('./pauses.js')).resume(configOption(), conversation)),
  );

serviceVerbs(program);

const config = program.command('config').description('the settings in force, and where each came from');
config
  .command('show')
  .description('every setting with its value and its source')
  .option('--json', 'print JSON')
  .action(async (options: { json?: boolean }) =>
    finish((await import('./config.js')).showConfig({ ...configOption(), json: options.json ?? false })),
  );
config
  .command('reset-remote')
  .description('drop the settings that the backend changed')
  .action(async () => finish((await import('./config.js')).resetRemote(configOption())));

const queue = program
  .command('queue')
  .description('messages that were put aside because the backend refused them');
queue
  .command('list')
  .description('what is parked, and why')
  .option('--json', 'print JSON')
  .action(async (options: { json?: boolean }) =>
    finish((await import('./queue.js')).listQueue({ ...configOption(), json: options.json ?? false })),
  );
for (const change of ['retry', 'drop'] as const) {
  queue
    .command(change)
    .argument('<guid>', 'of the message, or "all"')
    .description(change === 'retry' ? 'post a parked message again' : 'give a parked message up for good')
    .action(async (guid: string) =>
      finish((await import('./queue.js')).changeQueue(configOption(), change, guid)),
    );
}

program
  .command('selftest')
  .description('put every assumption about this Mac to the test, with or without a running agent')
  .option('--json', 'print JSON')
  .option('--send', 'also send a real text to your own number (asked first at a terminal)')
  .action(async (options: { json?: boolean; send?: boolean }) =>
    finish(
      (await import('./selftest.js')).selftest({
        ...configOption(),
        json: options.json ?? false,
        send: options.send ?? false,
      }),
    ),
  );

program
  .command('demo')
  .description('show the whole story on a simulated Mac and backend; ends by itself')
  .action(async () => finish((await import('./demo.js')).demo()));

program
  .command('dev-backend')
  .description('run a backend to try the agent against')
  .option('--port <port>', 'the port to listen on', '8787')
  .option('--secret <secret>', 'the shared secret (default: $EDGE_SECRET, else "dev-secret")')
  .option('--persona <name>', 'who answers: echo, scripted, slow or silent', 'echo')
  .action(async (options: { port: string; secret?: string; persona: string }) =>
    finish((await import('./devBackend.js')).devBackend(options)),
  );

program
  .command('dev-messages')
  .description(
    'play Messages on a machine that has none: each line typed is a message, what is sent is printed',
  )
  .option('--dir <directory>', 'where chat.db and osascript are put', './dev-messages')
  .option('--from <handle>', 'who writes the messages', '+13105551234')
  .action(async (options: { dir: string; from: string }) =>
    finish((await import('./devMessages.js')).devMessages({ directory: options.dir, from: options.from })),
  );

const commands = [...program.commands, ...config.commands, ...queue.commands];
for (const command of commands) {
  command.option('--config <file>', 'the configuration file').exitOverride().showSuggestionAfterError();
}

/** `--config` counts before and after the verb. */
function configOption(): { configPath?: string } {
  const own = commands.map((command) => command.opts<{ config?: string }>().config);
  const configPath = own.find((path) => path !== undefined) ?? program.opts<{ config?: string }>().config;
  return configPath === undefined ? {} : { configPath };
}

async function finish(exitCode: Promise<number>): Promise<void> {
  process.exitCode = await exitCode;
}

/** Does what the arguments of this process ask for, and sets its exit code. Throws what no verb expected. */
export async function runProgram(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
