import { yamlWith } from '../../config/editYaml.js';
import { readText } from '../../config/environment.js';
import { loadConfig } from '../../config/loadConfig.js';
import { findConfigFile, readTextFile } from '../../config/places.js';
import { replaceConfig } from '../../config/replaceConfig.js';
import { checkSetting, type Setting, shownValue } from '../../config/settings.js';
import { EdgeError } from '../../errors.js';
import { systemClock } from '../../system/clock.js';
import { afterRestart } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, print, printJson } from '../print.js';
import { changeLines, fileValue, overrideLines } from './configChanges.js';
import { namedSetting } from './namedSetting.js';

interface SetOptions {
  configPath?: string;
  json?: boolean;
}

const AT_ONCE = 'A running agent uses it at once.';

/**
 * Writes one setting into the configuration file, judged as a start would, and says whether it counts at once. Everything else in
 * the file stays as it is, and the file before is kept. Exit 2: no such setting, or not a value for it; 78: with it the
 * configuration is invalid. Then nothing is changed.
 */
export async function setSetting(options: SetOptions, key: string, text: string): Promise<number> {
  const setting = namedSetting(key);
  if (typeof setting === 'number') return setting;
  const value = readText(setting, text.trim());
  const checked = checkSetting(setting, value);
  if (checked.kind === 'unfit') {
    complain(`edge-agent: ${key}: Expected ${checked.expected}. Nothing was changed.`);
    return EXIT.usage;
  }
  try {
    return await write(options, setting, value);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return error.code.startsWith('config_') ? EXIT.invalidConfig : EXIT.failed;
  }
}

async function write(options: SetOptions, setting: Setting, value: unknown): Promise<number> {
  const { key } = setting;
  const path = findConfigFile(places(options));
  const before = path === null ? null : readTextFile(path);
  if (path === null || before === null) {
    complain('edge-agent: There is no configuration file to change.', 'Make one: edge-agent setup');
    return EXIT.failed;
  }
  const old = fileValue(before, key);
  const isSame = JSON.stringify(old) === JSON.stringify(value);
  const after = isSame ? before : yamlWith(before, new Map([[key, value]]));
  const loaded = loadConfig(places({ ...options, configPath: path }), after);
  if (!isSame && options.json !== true) print(...changeLines(path, [{ key, before: old, after: value }]));
  const restart = setting.reload !== true;
  // Asked before it is written: a running agent may be found by this very setting.
  const effect = restart && !isSame ? await afterRestart({ ...options, configPath: path }) : AT_ONCE;
  const copy = isSame ? undefined : replaceConfig(path, before, after, systemClock.now());
  if (options.json === true) {
    const shown = (of: unknown) => shownValue(setting, of) ?? null;
    printJson({
      schema: 1,
      key,
      before: shown(old),
      after: shown(value),
      changed: !isSame,
      restart,
      path,
      copy: copy ?? null,
    });
  } else if (isSame) print(`${path} already has this value.`);
  else print(`Written: ${path}`, `Previous version: ${copy}`, effect);
  complain(...overrideLines(loaded, [key]));
  return EXIT.ok;
}
