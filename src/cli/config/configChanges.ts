import type { LoadedConfig } from '../../config/loadConfig.js';
import { SETTINGS_BY_KEY, shownValue } from '../../config/settings.js';
import { readYaml } from '../../config/yamlFile.js';

/** A setting in a configuration file; undefined: the file does not give it. */
export interface SettingChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What a configuration file gives for a setting, as it is written there where the setting is a text. */
export function fileValue(source: string, key: string): unknown {
  const kind = SETTINGS_BY_KEY.get(key)?.kind;
  const entry = readYaml(source).entries.find(({ path }) => path.join('.') === key);
  return (kind === 'number' || kind === 'boolean' ? entry?.value : entry?.text) ?? undefined;
}

/** The changes as a person sees them before they are made. */
export function changeLines(path: string, changes: readonly SettingChange[]): string[] {
  const lines = changes.flatMap(({ key, before, after }) => [
    `  - ${key}${before === undefined ? ' is not set' : `: ${shown(key, before)}`}`,
    `  + ${key}: ${shown(key, after)}`,
  ]);
  return [`Changes in ${path}:`, ...lines];
}

/** Of settings that the file gives, those that something else gives too, which wins; for a person. */
export function overrideLines({ sources }: Pick<LoadedConfig, 'sources'>, keys: readonly string[]): string[] {
  return keys.flatMap((key) => {
    const source = sources[key];
    if (source !== 'environment' && source !== '.env') return [];
    const where = source === '.env' ? source : 'the environment';
    const names = SETTINGS_BY_KEY.get(key)?.variables.join(' or ');
    return [`${key} in the file has no effect: ${where} sets it (${names}) and overrides the file.`];
  });
}

function shown(key: string, value: unknown): string {
  const setting = SETTINGS_BY_KEY.get(key);
  const safe = setting === undefined ? value : shownValue(setting, value);
  return JSON.stringify(safe) ?? 'a section';
}
