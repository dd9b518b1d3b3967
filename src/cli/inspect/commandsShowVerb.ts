import type { VerbSpec } from '../VerbSpec.js';

export const commandsShowVerb: VerbSpec = {
  name: 'show',
  about: 'one command from its receipt to the ack that the backend read, with times',
  arguments: [{ name: '<id>', about: 'the command id' }],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, id: string) =>
    (await import('./commands.js')).showCommand(options, id),
};
