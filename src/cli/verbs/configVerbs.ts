import type { Command } from 'commander';
import { act } from './act.js';

interface Json {
  json?: boolean;
}

/** The verbs about the configuration, and the token made from it. */
export function configVerbs(program: Command): void {
  const config = program
    .command('config')
    .description('the settings: what they are, where they come from, and to change them');
  config
    .command('check')
    .description('judge the configuration; every mistake is told (exit 0 valid, 78 not)')
    .option('--json', 'print JSON')
    .action(act<Json>(async (options) => (await import('../config/configFile.js')).checkConfig(options)));
  config
    .command('show')
    .description('every setting with its value and its source')
    .option('--json', 'print JSON')
    .action(act<Json>(async (options) => (await import('../config/config.js')).showConfig(options)));
  config
    .command('path')
    .description('print where the configuration file is')
    .action(act(async (options) => (await import('../config/configFile.js')).printConfigPath(options)));
  config
    .command('schema')
    .description('print the JSON Schema of the configuration, for editors and scripts')
    .action(act(async () => (await import('../config/configFile.js')).printConfigSchema()));
  config
    .command('edit')
    .description('change the file in $VISUAL or $EDITOR; it is put in place only if it is valid')
    .action(act(async (options) => (await import('../config/configEdit.js')).editConfig(options)));
  config
    .command('reset-remote')
    .description('drop the settings that the backend changed')
    .action(act(async (options) => (await import('../config/config.js')).resetRemote(options)));

  program
    .command('token')
    .description('make a token from the configured secret, and show how to try the backend with it')
    .option('--print', 'print nothing but the token, also where stdout is no terminal')
    .action(act<{ print?: boolean }>(async (options) => (await import('../config/token.js')).token(options)));
}
