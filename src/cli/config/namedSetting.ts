import { SETTINGS_BY_KEY, type Setting } from '../../config/settings.js';
import { suggest } from '../../config/suggest.js';
import { EXIT } from '../exitCodes.js';
import { complain } from '../print.js';

/** The setting of a key that a person typed; where there is none, that is said, with the exit code for it. */
export function namedSetting(key: string): Setting | number {
  const setting = SETTINGS_BY_KEY.get(key);
  if (setting !== undefined) return setting;
  const keys = [...SETTINGS_BY_KEY.keys()];
  const meant = suggest(key, keys) ?? keys.find((known) => known.endsWith(`.${key}`));
  complain(
    `edge-agent: There is no setting ${key}.`,
    meant === undefined ? 'See them: edge-agent config show' : `Did you mean ${meant}?`,
  );
  return EXIT.usage;
}
