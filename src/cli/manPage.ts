import type { Command, Option } from 'commander';
import { pathOf, verbsOf } from './program.js';

/** The manual page edge-agent(1), in the man macros, from the verbs that there are. The same for the same version. */
export function manPage(program: Command, version: string): string {
  const verbs = verbsOf(program).filter((verb) => verb !== program && verb.commands.length === 0);
  return [
    `.TH EDGE\\-AGENT 1 "" "edge\\-agent ${escaped(version)}"`,
    '.SH NAME',
    'edge\\-agent \\- connects iMessage on this Mac to your backend',
    '.SH SYNOPSIS',
    '.B edge\\-agent',
    '.RI [ options ]',
    '.I verb',
    '.RI [ arguments ]',
    '.SH DESCRIPTION',
    escaped(program.description()),
    'Results go to stdout, everything else to stderr.',
    '.SH OPTIONS',
    ...program.options.flatMap(optionLines),
    '.SH VERBS',
    ...verbs.flatMap(verbLines),
    '.SH EXIT STATUS',
    ...EXITS.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, escaped(meaning)]),
    '.SH ENVIRONMENT',
    ...VARIABLES.flatMap(([name, meaning]) => ['.TP', `.B ${name}`, escaped(meaning)]),
    '.SH FILES',
    ...FILES.flatMap(([path, meaning]) => ['.TP', `.I ${escaped(path)}`, escaped(meaning)]),
    '',
  ].join('\n');
}

const EXITS = [
  ['0', 'Done; status: healthy.'],
  ['1', 'Failed; the message says why.'],
  ['2', 'Wrong usage: unknown verb or option.'],
  ['3', 'No agent is running.'],
  ['4', 'status: the agent runs degraded.'],
  ['5', 'Unknown: the agent does not respond, or the outcome of a text is not known.'],
  ['78', 'The configuration is invalid.'],
] as const;

const VARIABLES = [
  ['EDGE_AGENT_CONFIG', 'The configuration file. Every setting has a variable too; config.yaml names them.'],
  ['EDGE_SECRET', 'The secret shared with the backend.'],
  ['VISUAL, EDITOR', 'What config edit starts.'],
  ['NO_COLOR', 'If set, the output has no colours.'],
] as const;

const FILES = [
  ['~/Library/Application Support/edge-agent/config.yaml', 'The configuration, on macOS.'],
  ['~/Library/Application Support/edge-agent/.env', 'The secrets.'],
  ['~/Library/Application Support/edge-agent/edge-agent.log', 'The log.'],
] as const;

function verbLines(verb: Command): string[] {
  const args = verb.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const title = [pathOf(verb).replace(/^\S+ /, ''), ...args].join(' ');
  const described = verb.registeredArguments.filter(({ description }) => description !== '');
  const options = verb.options.filter(({ long }) => long !== '--config');
  return [
    `.SS ${escaped(title)}`,
    sentence(verb.description()),
    ...described.flatMap((argument) => [
      '.TP',
      `.I ${escaped(argument.name())}`,
      sentence(argument.description),
    ]),
    ...options.flatMap(optionLines),
  ];
}

function optionLines(option: Option): string[] {
  const otherwise =
    option.defaultValue === undefined ? '' : ` Default: ${escaped(String(option.defaultValue))}.`;
  return ['.TP', `.B ${escaped(option.flags)}`, `${sentence(option.description)}${otherwise}`];
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return escaped(/[.…]$/.test(start) ? start : `${start}.`);
}

/** No backslash, hyphen or leading dot of ours is a request to roff; what roff cannot spell is spelt in ASCII. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replaceAll(/[“”]/g, '"')
    .replaceAll('’', "'")
    .replace(/^([.'])/, '\\&$1');
}
