import { Command, CommanderError } from 'commander';
import { packageVersion } from '../system/version.js';
import { EXIT } from './exitCodes.js';
import { complainAsIs, show } from './print.js';
import { configVerbs } from './verbs/configVerbs.js';
import { lookingVerbs } from './verbs/lookingVerbs.js';
import { monitorVerbs } from './verbs/monitorVerbs.js';
import { runningVerbs } from './verbs/runningVerbs.js';
import { serviceVerbs } from './verbs/serviceVerbs.js';
import { setupVerbs } from './verbs/setupVerbs.js';
import { tryingVerbs } from './verbs/tryingVerbs.js';
import { watchVerb } from './verbs/watchVerb.js';

const EXAMPLES = `
Examples:
  $ edge-agent setup                    the first run: asks and checks
  $ edge-agent install                  run it from each login on, or upgrade it
  $ edge-agent run                      in the foreground, until Ctrl-C
  $ edge-agent run --config ./config.yaml
  $ edge-agent status                   what it does, and why it does not
  $ edge-agent status --watch
  $ edge-agent logs -f --level warn     what goes wrong, as it goes wrong
  $ edge-agent pause                    nothing goes out until edge-agent resume
  $ edge-agent send +13105551234 'hello'
  $ edge-agent demo                     the whole story, on a simulated Mac
  $ edge-agent dev-backend --port 8787  a backend to try the agent against
`;

/** Each adds its verbs; in the order in which the help lists them. */
const VERBS = [
  setupVerbs,
  serviceVerbs,
  runningVerbs,
  lookingVerbs,
  monitorVerbs,
  watchVerb,
  configVerbs,
  tryingVerbs,
];

/** The whole command: every verb with its arguments, options and action. Nothing is done yet. */
export function edgeProgram(): Command {
  const program = new Command('edge-agent')
    .description('Joins iMessage on this Mac to a backend. Nothing lost, nothing twice.')
    .version(packageVersion())
    .option('--config <file>', 'the configuration file (default: see docs/operating.md)')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: show, writeErr: complainAsIs });
  for (const add of VERBS) add(program);
  for (const verb of verbsOf(program)) {
    if (verb !== program) verb.option('--config <file>', 'the configuration file');
    const name = pathOf(verb);
    verb.showHelpAfterError(`Usage: ${name} ${verb.usage()}\nMore: ${name} --help`);
  }
  return program;
}

/** A verb and all that are below it. */
export function verbsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(verbsOf)];
}

/** A verb as it is typed: `edge-agent queue list`. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Does what the arguments of this process ask for, and sets its exit code. Throws what no verb expected. */
export async function runProgram(): Promise<void> {
  try {
    await edgeProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
