import type { VerbSpec } from '../VerbSpec.js';

export const commandsShowVerb: VerbSpec = {
  name: 'show',
  about: 'show every step of one command, up to the ack, with times',
  arguments: [{ name: '<id>', about: 'the command id, or its unique beginning', completes: 'commands' }],
  options: [{ flags: '--json', about: 'print JSON' }],
  run: async (options: { configPath?: string; json?: boolean }, id: string) =>
    (await import('./commands.js')).showCommand(options, id),
};
