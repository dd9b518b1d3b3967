import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CONFIG_PATH_VARIABLE, type ConfigPlaces, expandPath, usualConfigPath, variable } from './places.js';

/**
 * Differs whenever a file that `loadConfig` reads, or would read if it were there, has been written, replaced by
 * another (as editors save), made or removed. Asks the file system alone; never throws.
 */
export function configStamp(places: ConfigPlaces): string {
  const named = places.configPath ?? variable(places.env, CONFIG_PATH_VARIABLE);
  const files =
    named === undefined
      ? [join(places.cwd, 'config.yaml'), usualConfigPath(places)]
      : [expandPath(named, places.homeDir, places.cwd)];
  const dotenvs = [...files.map((file) => dirname(file)), places.cwd].map((directory) =>
    join(directory, '.env'),
  );
  return [...files, ...new Set(dotenvs)].map(stampOf).join('|');
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs, mode } = statSync(path);
    return [ino, size, mtimeMs, ctimeMs, mode].join(':');
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
