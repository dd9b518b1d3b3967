// Runs setup as the command does, on a machine where installing only says so.
import process from 'node:process';
import { setup } from '../../dist/cli-modules/config/setup.js';

const flags = { yes: false, force: false, install: false };
process.exitCode = await setup(flags, async ({ configPath }) => {
  console.log(`INSTALLED with ${configPath}`);
  return 0;
});
