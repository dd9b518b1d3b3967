import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { EdgeError } from '../errors.js';
import {
  type ConfigPlaces,
  findConfigFile,
  namedConfigPath,
  PATH_PATTERN,
  readTextFile,
  usualConfigPath,
  usualStateDirectory,
} from './places.js';
import { replaceFile } from './replaceFile.js';
import { findStateDirectory } from './stateDirectory.js';

/**
 * Remembers the state directory that an agent was started with, for as long as its configuration cannot be read: at the usual
 * place, which is found without one. Throws EdgeError `state_unwritable`.
 */
export function rememberStateDirectory(places: ConfigPlaces, directory: string): void {
  if (lastStateDirectory(places) !== directory) replaceFile(lastDirectoryFile(places), `${directory}\n`);
}

/** The state directory that the configuration of these places had at its last start, if there was one. */
export function lastStateDirectory(places: ConfigPlaces): string | undefined {
  try {
    const directory = readTextFile(lastDirectoryFile(places))?.trimEnd();
    return directory !== undefined && isAbsolute(directory) && PATH_PATTERN.test(directory)
      ? directory
      : undefined;
  } catch (error) {
    // What cannot be read is not known.
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}

/** As the configuration says, or where that cannot be read, as it said at the last start; undefined: neither is known. */
export async function knownStateDirectory(places: ConfigPlaces): Promise<string | undefined> {
  try {
    return await findStateDirectory(places);
  } catch (error) {
    if (error instanceof EdgeError) return lastStateDirectory(places);
    throw error;
  }
}

/** Where it is stored: each configuration has its own file. */
export function lastDirectoryFile(places: ConfigPlaces): string {
  const name = createHash('sha256').update(configInQuestion(places)).digest('hex').slice(0, 16);
  return join(usualStateDirectory(places), `last-directory-${name}`);
}

/** The file that is the configuration of these places, there or not. */
export function configInQuestion(places: ConfigPlaces): string {
  const path = namedConfigPath(places) ?? findConfigFile(places) ?? usualConfigPath(places);
  try {
    return realpathSync(path);
  } catch {
    // It is not there: by the name that it would have.
    return path;
  }
}
