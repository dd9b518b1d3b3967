import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { edgeProgram } from '../../src/cli/program.js';

test.for([
  ['stat', 'edge-agent status'],
  ['chats', 'edge-agent conversations'],
  ['version', 'edge-agent --version'],
  ['-v', 'edge-agent --version'],
  ['stauts', 'status'],
] as const)('%s is refused, with what was probably meant', async ([word, meant]) => {
  let told = '';
  const program = edgeProgram().configureOutput({
    writeErr: (text) => {
      told += text;
    },
  });
  await expect(program.parseAsync(['node', 'edge-agent', word])).rejects.toThrow(CommanderError);
  expect(told).toContain(`(Did you mean ${meant}?)`);
});
