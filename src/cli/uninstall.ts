import { createInterface } from 'node:readline';
import { loadConfig } from '../config/loadConfig.js';
import { usualConfigPath } from '../config/places.js';
import { stateDirectoryOrUsual } from '../config/stateDirectory.js';
import { EdgeError } from '../errors.js';
import { type PurgeTargets, purge, toPurge } from '../service/purge.js';
import { uninstall as uninstallService } from '../service/uninstall.js';
import { EXIT } from './exitCodes.js';
import { places } from './places.js';
import { complain, print } from './print.js';
import { withService } from './service.js';

export interface UninstallOptions {
  configPath?: string;
  purge: boolean;
  yes: boolean;
}

/** Removes the service; with `purge`, and only after a clear yes, also what it has collected. */
export async function uninstall(options: UninstallOptions): Promise<number> {
  if (options.purge && !options.yes && !process.stdin.isTTY) {
    complain(
      'edge-agent: --purge asks before it removes anything, and there is nobody to ask.',
      'To go on without a question: edge-agent uninstall --purge --yes',
    );
    return EXIT.usage;
  }
  return withService(async (service) => {
    const targets = options.purge ? await purgeTargets(options, service.configPath()) : undefined;
    if (targets !== undefined && !(await agreed(toPurge(service.places, targets), options.yes))) {
      print('Nothing was removed.');
      return;
    }
    const wasInstalled = await uninstallService(service);
    print(wasInstalled ? 'Uninstalled: LaunchAgent, program and runtime.' : 'No service was installed.');
    if (targets === undefined) {
      print('Configuration, state and logs stay. To remove them: edge-agent uninstall --purge');
      return;
    }
    const paths = toPurge(service.places, targets);
    purge(service.places, targets, paths);
    print(`Removed ${paths.length} files and folders.`);
    print('System Settings may still list edge-agent under Full Disk Access: remove it there.');
  });
}

async function agreed(paths: readonly string[], yes: boolean): Promise<boolean> {
  print('This goes for good, with every message that still waits:', ...paths.map((path) => `  ${path}`));
  if (yes) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await new Promise<boolean>((resolve) => {
      // Ctrl-C and the end of the input close it without an answer.
      terminal.once('close', () => resolve(false));
      terminal.question('Remove it all? Write yes: ', (answer) => resolve(/^yes$/i.test(answer.trim())));
    });
  } finally {
    terminal.close();
  }
}

/** Also where the configuration is broken or missing: then the usual places. */
async function purgeTargets(options: UninstallOptions, installed: string | undefined): Promise<PurgeTargets> {
  const base = places(options);
  const configPath = options.configPath ?? installed ?? usualConfigPath(base);
  const where = { ...places({ configPath }), env: {} };
  const stateDirectory = await stateDirectoryOrUsual(where);
  try {
    const { config, path } = loadConfig(where);
    return { stateDirectory, configPath: path, logFile: config.logging.file };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return { stateDirectory, configPath, logFile: null };
  }
}
