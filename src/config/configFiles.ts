import { dirname, join } from 'node:path';
import { type ConfigPlaces, namedConfigPath, usualConfigPath } from './places.js';

/** Every file that `loadConfig` reads, or would read if it were there. */
export function configFiles(places: ConfigPlaces): string[] {
  const named = namedConfigPath(places);
  const files = named === undefined ? [join(places.cwd, 'config.yaml'), usualConfigPath(places)] : [named];
  const directories = [...files.map((file) => dirname(file)), places.cwd];
  return [...files, ...new Set(directories.map((directory) => join(directory, '.env')))];
}
