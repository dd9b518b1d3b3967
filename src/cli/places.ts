import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ConfigPlaces, namedConfigPath, usualConfigPath } from '../config/places.js';
import { configIn } from '../service/launchAgentPlist.js';
import { servicePlaces } from '../service/servicePlaces.js';
import { environment } from '../system/environment.js';
import { hostPlatform } from '../system/programs.js';
import { complain } from './print.js';

let isSaid = false;

/**
 * Where this process looks for its configuration. A `config.yaml` in this directory that nobody named does not take the place of the
 * file that this user's agent has: that of the installed service, else the one at the usual place. That is said on stderr, once.
 */
export function places(options: { configPath?: string }): ConfigPlaces {
  const base: ConfigPlaces = {
    ...(options.configPath === undefined ? {} : { configPath: options.configPath }),
    env: environment(),
    cwd: process.cwd(),
    homeDir: homedir(),
    platform: hostPlatform(),
  };
  const local = join(base.cwd, 'config.yaml');
  if (namedConfigPath(base) !== undefined || !existsSync(local)) return base;
  const own = [serviceConfig(base), usualConfigPath(base)].find(
    (path) => path !== undefined && existsSync(path),
  );
  if (own === undefined || own === local) return base;
  if (!isSaid)
    complain(`edge-agent: Using ${own}, not the config.yaml here. To use that: --config ./config.yaml`);
  isSaid = true;
  return { ...base, configPath: own };
}

/** The file that the installed LaunchAgent names. */
function serviceConfig({ homeDir, platform }: ConfigPlaces): string | undefined {
  if (platform !== 'darwin') return undefined;
  try {
    return configIn(readFileSync(servicePlaces(homeDir).plist, 'utf8'));
  } catch {
    // It is not installed, or its plist cannot be read: the usual place decides.
    return undefined;
  }
}
