import { readTextFile } from '../../config/places.js';
import { EdgeError } from '../../errors.js';

/**
 * A secret for a verb that is not about the installed agent: from a file, else from the environment. Never from an argument,
 * which everybody on this machine can read. Throws an EdgeError where there is none.
 */
export function secretFor(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  variable: 'EDGE_SECRET' | 'EDGE_ADMIN_KEY' | 'REGISTRATION_TOKEN',
): string {
  const found = (file === undefined ? env[variable] : readTextFile(file))?.trim();
  if (found !== undefined && found !== '') return found;
  throw new EdgeError(
    'secret_missing',
    file === undefined ? `${variable} is not set.` : `There is no secret in ${file}.`,
    `Put it into a file that only you can read, or set ${variable}.`,
  );
}
