import { loadConfig } from '../../config/loadConfig.js';
import { findConfigFile } from '../../config/places.js';
import { EdgeError } from '../../errors.js';
import { places } from '../places.js';
import { complain } from '../print.js';
import { isSomebodyThere, yesOrNo } from './ask.js';

/**
 * The `config.yaml` of this directory, if it would get a secret from elsewhere and the person at the terminal confirms
 * (asked once) that it is theirs. Undefined: there is nothing to ask, no terminal, or the answer was not yes; then the
 * file is refused if a secret is needed (`config_not_named`).
 */
export async function ownConfigHere(): Promise<string | undefined> {
  const where = places({});
  const refusal = isSomebodyThere() ? refusalOf(() => loadConfig(where)) : undefined;
  if (refusal === undefined) return undefined;
  complain(`edge-agent: ${refusal.message}`);
  const isOwn = await yesOrNo('Is it your file, and may its backend get the secret?', 'no');
  return isOwn ? (findConfigFile(where) ?? undefined) : undefined;
}

function refusalOf(load: () => unknown): EdgeError | undefined {
  try {
    load();
  } catch (error) {
    // The verb reports any other error.
    if (error instanceof EdgeError && error.code === 'config_not_named') return error;
  }
  return undefined;
}
