import { dirname, join } from 'node:path';
import { CONFIG_PATH_VARIABLE, type ConfigPlaces, expandPath, usualConfigPath, variable } from './places.js';

/** Every file that `loadConfig` reads, or would read if it were there. */
export function configFiles(places: ConfigPlaces): string[] {
  const named = places.configPath ?? variable(places.env, CONFIG_PATH_VARIABLE);
  const files =
    named === undefined
      ? [join(places.cwd, 'config.yaml'), usualConfigPath(places)]
      : [expandPath(named, places.homeDir, places.cwd)];
  const directories = [...files.map((file) => dirname(file)), places.cwd];
  return [...files, ...new Set(directories.map((directory) => join(directory, '.env')))];
}
