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
 * Where this process looks for its configuration: if no file is named, that of the installed service, else the usual
 * place. A `config.yaml` in this directory replaces neither; stderr says so once.
 */
export function places(options: { configPath?: string }): ConfigPlaces {
  const base: ConfigPlaces = {
    ...(options.configPath === undefined ? {} : { configPath: options.configPath }),
    env: environment(),
    cwd: process.cwd(),
    homeDir: homedir(),
    platform: hostPlatform(),
  };
  if (namedConfigPath(base) !== undefined) return base;
  const local = join(base.cwd, 'config.yaml');
  const isLocal = existsSync(local);
  const usual = usualConfigPath(base);
  const own = [serviceConfig(base), usual].find((path) => path !== undefined && existsSync(path));
  if (own === undefined || own === local || (own === usual && !isLocal)) return base;
  if (isLocal && !isSaid) {
    complain(`edge-agent: Using ${own}, not the config.yaml here. To use that: --config ./config.yaml`);
    isSaid = true;
  }
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
