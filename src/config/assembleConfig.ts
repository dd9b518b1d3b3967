import { join } from 'node:path';
import { normaliseBase, normaliseWebSocket } from './backendUrls.js';
import type { Given } from './judgeGiven.js';
import { type ConfigPlaces, expandPath, usualStateDirectory } from './places.js';
import { type Config, configSchema } from './schema.js';
import { SETTINGS, type Setting } from './settings.js';

/** The form in which the program uses a valid value: absolute paths, normal URLs. */
export function settled(setting: Setting, { value, base }: Given, places: ConfigPlaces): unknown {
  if (typeof value !== 'string') return value;
  if (setting.path === true) return expandPath(value, places.homeDir, base);
  if (setting.key === 'backend.url') return normaliseBase(value);
  if (setting.key === 'backend.websocket_url') return normaliseWebSocket(value);
  return value;
}

/** The whole configuration from the settled values, with every default filled in, checked once more, frozen. */
export function assembleConfig(values: ReadonlyMap<string, unknown>, places: ConfigPlaces): Config {
  const sections: Record<string, Record<string, unknown>> = {};
  const directory = values.get('state.directory') ?? usualStateDirectory(places);
  for (const setting of SETTINGS) {
    const section = sections[setting.section] ?? {};
    sections[setting.section] = section;
    const value = values.get(setting.key) ?? defaultOf(setting, String(directory), places);
    if (value !== undefined) section[setting.name] = value;
  }
  // Done once: to make a function of the schema first, as zod does otherwise, takes four times as long.
  return deepFreeze(configSchema.parse(sections, { jitless: true }));
}

function defaultOf(setting: Setting, stateDirectory: string, places: ConfigPlaces): unknown {
  if (setting.key === 'state.directory') return stateDirectory;
  if (setting.key === 'logging.file') return join(stateDirectory, 'edge-agent.log');
  if (setting.path === true && typeof setting.default === 'string') {
    return expandPath(setting.default, places.homeDir, places.cwd);
  }
  return setting.default;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
