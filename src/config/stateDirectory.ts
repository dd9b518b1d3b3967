import { dirname, join } from 'node:path';
import { EdgeError } from '../errors.js';
import { readDotenv } from './dotenv.js';
import {
  type ConfigPlaces,
  expandPath,
  findConfigFile,
  PATH_PATTERN,
  readTextFile,
  STATE_DIRECTORY_VARIABLE,
  usualStateDirectory,
  variable,
} from './places.js';

/**
 * Where `state.directory` is, by the very rules of `loadConfig` but without judging the rest of the configuration and
 * without loading its schema: a verb that only asks the daemon starts fast. The YAML parser is loaded where a file must be read. Throws `config_unreadable`, and `config_invalid` when the value itself cannot be read.
 */
export async function findStateDirectory(places: ConfigPlaces): Promise<string> {
  const { homeDir, cwd } = places;
  const path = findConfigFile(places);
  const directory = path === null ? cwd : dirname(path);
  const fromEnvironment = variable(places.env, STATE_DIRECTORY_VARIABLE);
  if (fromEnvironment !== undefined) return expandPath(usable(fromEnvironment), homeDir, cwd);
  const fromDotenv = readDotenv(join(directory, '.env')).entries.get(STATE_DIRECTORY_VARIABLE)?.value.trim();
  if (fromDotenv !== undefined && fromDotenv !== '')
    return expandPath(usable(fromDotenv), homeDir, directory);
  const fromFile = path === null ? undefined : await inFile(readTextFile(path) ?? '');
  if (fromFile !== undefined) return expandPath(usable(fromFile), homeDir, directory);
  return usualStateDirectory(places);
}

/** The same, or the usual place if the configuration does not show it: there a service waits for it to be corrected. */
export async function stateDirectoryOrUsual(places: ConfigPlaces): Promise<string> {
  try {
    return await findStateDirectory(places);
  } catch (error) {
    if (error instanceof EdgeError) return usualStateDirectory(places);
    throw error;
  }
}

async function inFile(text: string): Promise<unknown> {
  const { readYaml } = await import('./yamlFile.js');
  const file = readYaml(text);
  if (!file.complete)
    throw invalid('The configuration file is not valid YAML, so that state.directory cannot be read.');
  const entry = file.entries.find(
    ({ path }) => path.length === 2 && path[0] === 'state' && path[1] === 'directory',
  );
  return entry?.text ?? undefined;
}

function usable(value: unknown): string {
  if (typeof value === 'string' && PATH_PATTERN.test(value)) return value;
  throw invalid('state.directory is not a path (~ is your home directory).');
}

function invalid(message: string): EdgeError {
  return new EdgeError('config_invalid', message, 'See all errors with: edge-agent config check');
}
