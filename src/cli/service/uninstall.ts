import { dirname, join } from 'node:path';
import { readDotenv } from '../../config/dotenv.js';
import { knownStateDirectory, lastDirectoryFile } from '../../config/lastDirectory.js';
import { loadConfig } from '../../config/loadConfig.js';
import { usualConfigPath, usualStateDirectory } from '../../config/places.js';
import { keychainAccounts } from '../../config/secrets.js';
import { sharedFolder } from '../../daemon/Continuity.js';
import { EdgeError } from '../../errors.js';
import { socketRefuge } from '../../operator/socketPath.js';
import { type PurgeTargets, purge, toPurge } from '../../service/purge.js';
import { uninstall as uninstallService } from '../../service/uninstall.js';
import { witnessesOf } from '../../store/Witness.js';
import { deleteKeychain } from '../../system/keychain.js';
import { isSomebodyThere, spelledYes } from '../config/ask.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, print } from '../print.js';
import { withService } from './service.js';

interface UninstallOptions {
  configPath?: string;
  purge: boolean;
  yes: boolean;
}

/** Removes the service; with `purge`, and only after a clear yes, also what it has collected. */
export async function uninstall(options: UninstallOptions): Promise<number> {
  if (options.purge && !options.yes && !isSomebodyThere()) {
    complain(
      'edge-agent: --purge asks before it removes anything, but this is not a terminal.',
      'To skip the question: edge-agent uninstall --purge --yes',
    );
    return EXIT.usage;
  }
  return withService(async (service) => {
    const targets = options.purge ? await purgeTargets(options, service.configPath()) : undefined;
    const entries = targets === undefined ? [] : keychainEntries(targets);
    if (targets !== undefined && !(await agreed(toPurge(service.places, targets), entries, options.yes))) {
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
    print(`Removed ${paths.length} files and folders.`, ...entries.map(forgotten));
    print('System Settings may still list Edge Agent under Full Disk Access: remove it there.');
  });
}

async function agreed(paths: readonly string[], entries: readonly string[], yes: boolean): Promise<boolean> {
  print(
    'This is deleted permanently, with every message that still waits:',
    ...paths.map((path) => `  ${path}`),
    ...entries.map((account) => `  in the Keychain: edge-agent, ${account}`),
  );
  return yes || spelledYes('Remove it all?');
}

/** The entries of the Keychain that the `.env` which is removed names. */
function keychainEntries({ configPath }: PurgeTargets): readonly string[] {
  if (configPath === null) return [];
  try {
    return keychainAccounts(readDotenv(join(dirname(configPath), '.env')));
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    print(`Whether a secret is in the Keychain is not known: ${error.message}`);
    return [];
  }
}

/** Removes an entry; says what came of it. */
function forgotten(account: string): string {
  const failed = deleteKeychain(account);
  return failed === undefined
    ? `Removed from the Keychain: edge-agent, ${account}.`
    : `The secret stays in the Keychain: ${failed}. To remove it: security delete-generic-password -s edge-agent -a ${account}`;
}

/** What it keeps in the home directory, whatever its state directory is. */
function outsideOf(stateDirectory: string, homeDir: string): string[] {
  const socket = socketRefuge(stateDirectory, homeDir);
  return [...witnessesOf(sharedFolder(homeDir), stateDirectory), ...(socket === undefined ? [] : [socket])];
}

/** Also where the configuration is broken or missing: then the usual places. */
async function purgeTargets(options: UninstallOptions, installed: string | undefined): Promise<PurgeTargets> {
  const base = places(options);
  const configPath = options.configPath ?? installed ?? usualConfigPath(base);
  const where = { ...places({ configPath }), env: {} };
  const stateDirectory = (await knownStateDirectory(where)) ?? usualStateDirectory(where);
  const lastDirectory = lastDirectoryFile(where);
  const outside = outsideOf(stateDirectory, where.homeDir);
  try {
    const { config, path } = loadConfig(where);
    return { stateDirectory, lastDirectory, outside, configPath: path, logFile: config.logging.file };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return { stateDirectory, lastDirectory, outside, configPath, logFile: null };
  }
}
