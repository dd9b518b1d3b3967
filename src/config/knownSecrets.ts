import { dirname, join } from 'node:path';
import { readDotenv } from './dotenv.js';
import { type ConfigPlaces, findConfigFile } from './places.js';
import { findSecrets } from './secrets.js';

/**
 * Every secret in the environment and in `.env`, used or not, also where the configuration is invalid: so that none is
 * ever shown. Throws `config_unreadable` as `loadConfig` does.
 */
export function knownSecrets(places: ConfigPlaces): readonly string[] {
  const path = findConfigFile(places);
  const directory = path === null ? places.cwd : dirname(path);
  return findSecrets(places.env, readDotenv(join(directory, '.env'))).all;
}
