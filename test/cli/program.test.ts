import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { edgeProgram, pathOf, verbsOf } from '../../src/cli/program.js';

test.for([
  ['stat', 'edge-agent status'],
  ['chats', 'edge-agent conversations'],
  ['version', 'edge-agent --version'],
  ['-v', 'edge-agent --version'],
  ['stauts', 'status'],
] as const)('%s is refused, with a suggestion', async ([word, meant]) => {
  let told = '';
  const program = edgeProgram().configureOutput({
    writeErr: (text) => {
      told += text;
    },
  });
  await expect(program.parseAsync(['node', 'edge-agent', word])).rejects.toThrow(CommanderError);
  expect(told).toContain(`(Did you mean ${meant}?)`);
});

/** What prints no result for programs, and why. */
const WITHOUT_JSON: Readonly<Record<string, string>> = {
  setup: 'asks a person',
  'config edit': 'asks a person',
  uninstall: 'asks a person',
  'config schema': 'prints JSON anyway',
  completions: 'prints a script',
  token: 'prints commands to be pasted, or the token alone',
  run: 'prints the log: logging.format',
  demo: 'plays for a person',
  'dev-backend': 'runs until it is stopped',
  'dev-messages': 'runs until it is stopped',
  'gateway run': 'prints the log: --log-format',
  record: 'runs until it is stopped',
  replay: 'tells its progress',
};

test('every verb prints its result as JSON if asked, except those with a reason not to', () => {
  const leaves = verbsOf(edgeProgram()).filter(({ commands }) => commands.length === 0);
  const without = leaves.filter(({ options }) => !options.some(({ long }) => long === '--json'));
  expect(leaves.length).toBeGreaterThan(40);
  expect(without.map((verb) => pathOf(verb).replace('edge-agent ', '')).toSorted()).toEqual(
    Object.keys(WITHOUT_JSON).toSorted(),
  );
});

test('the help lists every verb under a heading', () => {
  const program = edgeProgram();
  const help = program.helpInformation();
  for (const heading of [
    'Set up and check:',
    'Run:',
    'Look:',
    'Act:',
    'Develop a backend:',
    'Run a backend:',
    'Help:',
  ])
    expect(help).toContain(`\n${heading}\n`);
  expect(help).not.toContain('\nCommands:\n');
  for (const verb of program.commands) expect(help).toMatch(new RegExp(`^  ${verb.name()} `, 'm'));
});
