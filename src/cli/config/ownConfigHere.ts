import { loadConfig } from '../../config/loadConfig.js';
import { findConfigFile } from '../../config/places.js';
import { EdgeError } from '../../errors.js';
import { places } from '../places.js';
import { complain } from '../print.js';
import { isSomebodyThere, yesOrNo } from './ask.js';

/**
 * The `config.yaml` of this directory, if it would get a secret that does not lie beside it and the person at the terminal says, asked
 * once, that it is theirs. Undefined: nothing is to be asked, nobody is there to ask, or the answer was not yes; then the file is
 * refused where a secret is needed (`config_not_named`).
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
    // Any other mistake is told by the verb.
    if (error instanceof EdgeError && error.code === 'config_not_named') return error;
  }
  return undefined;
}
