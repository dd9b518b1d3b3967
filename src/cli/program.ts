import { existsSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { suggest } from '../config/suggest.js';
import { packageVersion } from '../system/version.js';
import { EXIT } from './exitCodes.js';
import { complainAsIs, show } from './print.js';
import type { VerbGroup, VerbSpec } from './VerbSpec.js';
import { SHOWN_BY_EXAMPLE, VERB_SECTIONS } from './verbs.js';

/** The whole command: every verb with its arguments, options and action. Nothing is done yet. */
export function edgeProgram(): Command {
  const program = new Command('edge-agent')
    .description('Connects iMessage on this Mac to your backend. Nothing is lost, nothing is sent twice.')
    .version(packageVersion())
    .option('--config <file>', 'the configuration file (default: see docs/operating.md)')
    .addHelpText('after', examplesOf(SHOWN_BY_EXAMPLE))
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: show,
      writeErr: complainAsIs,
      outputError: (text, write) => write(withHint(text)),
    });
  for (const { heading, verbs } of VERB_SECTIONS) {
    program.commandsGroup(heading);
    for (const spec of verbs) {
      if ('verbs' in spec) addGroup(program, spec);
      else addVerb(program, spec, {});
    }
  }
  // In the group that was named last.
  program.helpCommand(true);
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

/** What is meant by words that other programs have; anything else is guessed by its letters. */
const HINTS: Readonly<Record<string, string>> = {
  stat: 'edge-agent status',
  chats: 'edge-agent conversations',
  messages: 'edge-agent conversations',
  version: 'edge-agent --version',
  '-v': 'edge-agent --version',
  log: 'edge-agent logs',
};

function withHint(text: string): string {
  const [, word = ''] = /^error: unknown (?:command|option) '([^']*)'/.exec(text) ?? [];
  const hint = Object.hasOwn(HINTS, word) ? HINTS[word] : undefined;
  return hint === undefined ? text : `error: unknown '${word}'\n(Did you mean ${hint}?)\n`;
}

function examplesOf(verbs: readonly VerbSpec[]): string {
  const lines = verbs
    .flatMap(({ examples = [] }) => examples)
    .map(([typed, about = '']) => `  $ edge-agent ${typed.padEnd(24)} ${about}`.trimEnd());
  return `\nExamples:\n${lines.join('\n')}\n`;
}

function addGroup(parent: Command, { name, about, verbs, default: usual }: VerbGroup): void {
  const group = parent.command(name).description(about);
  for (const spec of verbs) {
    if ('verbs' in spec) addGroup(group, spec);
    else addVerb(group, spec, { isDefault: spec === usual });
  }
  if (usual !== undefined) refuseStrangers(group);
}

function addVerb(parent: Command, spec: VerbSpec, { isDefault = false }: { isDefault?: boolean }): void {
  const verb = parent.command(spec.name, { isDefault }).description(spec.about);
  for (const { name, about, choices } of spec.arguments ?? []) {
    const argument = new Argument(name, about);
    verb.addArgument(choices === undefined ? argument : argument.choices(choices));
  }
  for (const given of spec.options ?? []) {
    const option = new Option(given.flags, given.about);
    if (given.choices !== undefined) option.choices(given.choices);
    if (given.parse !== undefined) option.argParser(given.parse);
    if (given.default !== undefined) option.default(given.default);
    verb.addOption(option);
  }
  // commander has read options and arguments as the spec declares them; its types do not carry that.
  const run = spec.run as (options: object, ...args: readonly unknown[]) => Promise<number>;
  verb.action(async (...given: readonly unknown[]) => {
    const { config: named, ...options } = verb.optsWithGlobals<{ config?: string }>();
    const config = named ?? (spec.usesSecrets === true ? await ownConfigHere() : undefined);
    const common = config === undefined ? {} : { configPath: config };
    process.exitCode = await run({ ...options, ...common }, ...given.slice(0, -2));
  });
}

async function ownConfigHere(): Promise<string | undefined> {
  return existsSync('config.yaml') ? (await import('./config/ownConfigHere.js')).ownConfigHere() : undefined;
}

/**
 * For a group of verbs with a default verb: a word that is none of them is refused. commander would pass it to that one
 * as an argument.
 */
function refuseStrangers(group: Command): void {
  group.hook('preSubcommand', () => {
    const [word = '-'] = group.args;
    const names = [...group.commands.map((verb) => verb.name()), 'help'];
    if (word.startsWith('-') || names.includes(word)) return;
    const meant = suggest(word, names);
    const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
    group.error(`error: unknown command '${word}'${hint}`, { exitCode: EXIT.usage });
  });
}
