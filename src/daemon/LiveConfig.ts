import type { Source } from '../config/ConfigError.js';
import type { LoadedConfig } from '../config/loadConfig.js';
import { judgeRemote, type RefusedSetting, settingValue, withSettings } from '../config/remoteSettings.js';
import type { Config } from '../config/schema.js';
import { SETTINGS, type Setting, shownValue } from '../config/settings.js';
import type { Logger } from '../logging/Logger.js';
import type { SettingInForce } from '../model/operatorApi.js';

/** Where the settings that the backend changed are kept. */
interface RemoteStore {
  /** A fact that is kept as JSON; undefined where there is none, or it is damaged. */
  object<T extends object>(key: string): T | undefined;
  set(key: string, value: string): void;
  delete(key: string): void;
}

const REMOTE_SETTINGS = 'remote_settings';

type Loaded = Pick<LoadedConfig, 'config' | 'sources'>;

/**
 * The configuration in force: what was loaded, and over it what the backend changed, which is durable. Changes of either
 * count at once for whoever reads `current()` at each use; what needs a restart stays as it was at the start.
 */
export class LiveConfig {
  private inForce: Config;
  private remote: ReadonlyMap<string, unknown> = new Map();
  private pending: ReadonlyMap<string, unknown> = new Map();
  private readonly listeners: ((config: Config) => void)[] = [];

  constructor(
    private loaded: Loaded,
    private readonly store: RemoteStore,
    private readonly log: Logger,
  ) {
    this.inForce = loaded.config;
    this.remember(storedRemoteSettings(store));
  }

  readonly current = (): Config => this.inForce;

  /** The part of the settings that one component reads, in its own terms; worked out once for each change. */
  slice<T>(read: (config: Config) => T): () => T {
    let of = this.inForce;
    let slice = read(of);
    return () => {
      if (of !== this.inForce) {
        of = this.inForce;
        slice = read(of);
      }
      return slice;
    };
  }

  /** Told after each change. */
  onChange(listener: (config: Config) => void): void {
    this.listeners.push(listener);
  }

  /** Takes what was loaded anew, as far as it can count now. Returns the settings that another value is in force of. */
  reload(next: Loaded): string[] {
    const before = this.inForce;
    const values = new Map<string, unknown>();
    const pending = new Map<string, unknown>();
    const sources: Record<string, Source> = { ...this.loaded.sources };
    for (const setting of SETTINGS) {
      const value = settingValue(next.config, setting);
      if (setting.reload === true) {
        values.set(setting.key, value);
        sources[setting.key] = next.sources[setting.key] ?? 'default';
      } else if (!isSame(value, settingValue(this.loaded.config, setting))) pending.set(setting.key, value);
    }
    this.loaded = { config: withSettings(this.loaded.config, values), sources };
    this.pending = pending;
    this.remember(this.remote);
    const differs = (setting: Setting) =>
      !isSame(settingValue(before, setting), settingValue(this.inForce, setting));
    return SETTINGS.filter(differs).map(({ key }) => key);
  }

  /** The settings that were changed and wait for a restart. */
  waiting(): string[] {
    return [...this.pending.keys()];
  }

  /** Takes what the backend may change and stores it; the rest is refused by name, in the log and in the result. */
  apply(settings: Readonly<Record<string, unknown>>): {
    applied: string[];
    refused: readonly RefusedSetting[];
  } {
    const { accepted, refused } = judgeRemote(settings);
    for (const { key, reason } of refused) this.log.warn(`The backend may not set ${key}: ${reason}`);
    const changed = new Map([...accepted].filter(([key, value]) => this.remote.get(key) !== value));
    if (changed.size > 0) {
      const merged = new Map([...this.remote, ...changed]);
      this.store.set(REMOTE_SETTINGS, JSON.stringify(Object.fromEntries(merged)));
      this.remember(merged);
      for (const [key, value] of accepted)
        this.log.info(`The backend set ${key} to ${JSON.stringify(value)}`);
    }
    return { applied: [...accepted.keys()], refused };
  }

  /** Forgets everything that the backend changed; returns the keys. */
  reset(): string[] {
    const keys = [...this.remote.keys()];
    this.store.delete(REMOTE_SETTINGS);
    this.remember(new Map());
    if (keys.length > 0) this.log.info('Settings made by the backend were dropped', { keys: keys.join(',') });
    return keys;
  }

  /** Takes what is stored for what is true: after a write that changed nothing because it threw. */
  reread(): void {
    this.remember(storedRemoteSettings(this.store));
  }

  /** Every setting with its value and where that came from. */
  settings(): SettingInForce[] {
    return settingsInForce(this.loaded, this.remote, this.pending);
  }

  private remember(remote: ReadonlyMap<string, unknown>): void {
    this.remote = remote;
    this.inForce = withSettings(this.loaded.config, remote);
    for (const listener of this.listeners) listener(this.inForce);
  }
}

/** What the backend had changed, as far as this version still allows it. */
export function storedRemoteSettings(store: Pick<RemoteStore, 'object'>): ReadonlyMap<string, unknown> {
  return judgeRemote(store.object<Record<string, unknown>>(REMOTE_SETTINGS) ?? {}).accepted;
}

/** Every setting of a loaded configuration, with what the backend changed laid over it. */
export function settingsInForce(
  loaded: Loaded,
  remote: ReadonlyMap<string, unknown>,
  pending: ReadonlyMap<string, unknown> = new Map(),
): SettingInForce[] {
  return SETTINGS.map((setting) => ({
    key: setting.key,
    value: shownValue(setting, remote.get(setting.key) ?? settingValue(loaded.config, setting) ?? null),
    source: remote.has(setting.key) ? 'remote' : (loaded.sources[setting.key] ?? 'default'),
    description: setting.description,
    restart: setting.reload !== true,
    ...(pending.has(setting.key) ? { pending: pending.get(setting.key) ?? null } : {}),
  }));
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
