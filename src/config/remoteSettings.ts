import type { Config } from './schema.js';
import { checkSetting, SETTINGS, SETTINGS_BY_KEY, type Setting } from './settings.js';
import { suggest } from './suggest.js';

/** A setting that the backend may not change, or not to that; `reason` is for a person. */
export interface RefusedSetting {
  readonly key: string;
  readonly reason: string;
}

interface JudgedSettings {
  readonly accepted: ReadonlyMap<string, unknown>;
  readonly refused: readonly RefusedSetting[];
}

/** More than there are, several times over. */
const MOST_SETTINGS = 1_000;

const REMOTE: readonly Setting[] = SETTINGS.filter((setting) => setting.remote === true);

/**
 * Judges settings that the backend sends, by the schema that judges the configuration file. Keys may be nested
 * (`{backend: {sync_interval_seconds: 5}}`), dotted, or a name alone where it is unambiguous. Only what the schema
 * declares remotely changeable is accepted; one refused setting costs no other.
 */
export function judgeRemote(settings: Readonly<Record<string, unknown>>): JudgedSettings {
  const accepted = new Map<string, unknown>();
  const refused: RefusedSetting[] = [];
  let count = 0;
  for (const [written, value] of leaves(settings, '')) {
    count += 1;
    if (count > MOST_SETTINGS) {
      refused.push({
        key: written.slice(0, 100),
        reason: `at most ${MOST_SETTINGS} settings are read`,
      });
      break;
    }
    const setting = SETTINGS_BY_KEY.get(written) ?? named(written);
    if (setting === undefined) {
      const meant = suggest(written, [...SETTINGS_BY_KEY.keys()]);
      refused.push({
        key: written,
        reason: `there is no such setting${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      });
    } else if (setting.remote !== true) {
      refused.push({ key: setting.key, reason: 'it cannot be changed by the backend' });
    } else {
      const checked = checkSetting(setting, value);
      if (checked.kind === 'fits' && value !== undefined && value !== null)
        accepted.set(setting.key, checked.value);
      else refused.push({ key: setting.key, reason: `expected ${setting.expected}` });
    }
  }
  return { accepted, refused };
}

/** The configuration with other values for some settings; frozen like the one it is made from. */
export function withSettings(config: Config, settings: ReadonlyMap<string, unknown>): Config {
  const changed: Record<string, Record<string, unknown>> = {};
  for (const [section, values] of Object.entries(config)) changed[section] = { ...values };
  for (const [key, value] of settings) {
    const setting = SETTINGS_BY_KEY.get(key);
    const section = setting === undefined ? undefined : changed[setting.section];
    if (setting !== undefined && section !== undefined) section[setting.name] = value;
  }
  for (const section of Object.values(changed)) Object.freeze(section);
  return Object.freeze(changed) as unknown as Config;
}

/** The value that a configuration has for a setting; undefined where it has none. */
export function settingValue(config: Config, setting: Setting): unknown {
  const sections: Readonly<Record<string, Readonly<Record<string, unknown>>>> = config;
  return sections[setting.section]?.[setting.name];
}

function named(name: string): Setting | undefined {
  const fitting = REMOTE.filter((setting) => setting.name === name);
  return fitting.length === 1 ? fitting[0] : undefined;
}

function* leaves(settings: Readonly<Record<string, unknown>>, prefix: string): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(settings)) {
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isSection) yield* leaves(value as Record<string, unknown>, `${prefix}${name}.`);
    else yield [`${prefix}${name}`, value];
  }
}
