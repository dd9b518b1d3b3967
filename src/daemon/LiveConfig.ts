import { ConfigError, describeMistake, type Source } from '../config/ConfigError.js';
import { readDotenv } from '../config/dotenv.js';
import { FilesWatch } from '../config/FilesWatch.js';
import type { LoadedConfig } from '../config/loadConfig.js';
import { judgeRemote, type RefusedSetting, settingValue, withSettings } from '../config/remoteSettings.js';
import type { Config } from '../config/schema.js';
import { findSecrets, SECRET_VARIABLES, type Secrets } from '../config/secrets.js';
import { SETTINGS, type Setting, shownValue } from '../config/settings.js';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { maskContacts } from '../logging/mask.js';
import type { SettingInForce } from '../model/operatorApi.js';
import type { Problem } from '../model/problem.js';
import type { Clock } from '../system/clock.js';
import type { Network } from '../system/network.js';

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
 * The effective configuration: the loaded one, overridden by durable changes of the backend. Changes of either apply
 * immediately for code that reads `current()` at each use; settings that need a restart keep their value from the
 * start.
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

  /** Called after each change. */
  onChange(listener: (config: Config) => void): void {
    this.listeners.push(listener);
  }

  /** Applies a reloaded configuration, as far as it can take effect now. Returns the settings whose effective value differs. */
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

/** Every setting of a loaded configuration, with the changes of the backend applied. */
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

interface ConfigReloadOptions {
  loaded: LoadedConfig;
  env: NodeJS.ProcessEnv;
  config: LiveConfig;
  clock: Clock;
  log: Logger;
  /** Called before a line that could hold one of them is logged. */
  onSecrets: (secrets: Secrets) => void;
  /** Another proxy, or other certificates, count now. Called before a line that could hold a password of theirs is logged. */
  onNetwork: (network: Network) => void;
  /** Settings that count now, by key. */
  onSettings: (keys: readonly string[]) => void;
  /** What restarts this process, as a sentence. */
  restart: string;
}

/** In which way the files say something else than what is in force. */
type ConfigCode = 'config_invalid' | 'config_unreadable' | 'config_needs_restart' | 'tls_setting_ignored';

/**
 * Applies changes of the configuration file and of `.env` as soon as they are saved: secrets and live settings take
 * effect immediately, the others are named in `faults`. Files with errors change no setting: the old ones stay, and
 * `faults` lists the errors until they are corrected.
 */
export class ConfigReload {
  private readonly watch: FilesWatch;
  private readonly warned: Set<string>;
  private current: Secrets;
  private refused: Problem<number, ConfigCode> | undefined;
  private waitingSince = 0;
  private unread = '';
  private reached: Network;
  private refusedFiles: readonly string[] = [];
  private tls: { readonly names: readonly string[]; readonly since: number };

  constructor(private readonly options: ConfigReloadOptions) {
    const { loaded, clock, log } = options;
    this.current = loaded.secrets;
    this.reached = loaded.network;
    this.warned = new Set(loaded.warnings);
    this.tls = { names: loaded.ignoredTls, since: clock.now() };
    this.watch = new FilesWatch({
      paths: () => [...(loaded.path === null ? [] : [loaded.path]), loaded.envPath, ...this.otherFiles()],
      clock,
      log,
      onChange: this.reload,
    });
  }

  /** As `.env` and the Keychain have them; one that the Keychain does not give now is the one of before. */
  readonly secrets = (): Secrets => this.current;

  /** How other machines are reached; the same object until that changes. */
  readonly network = (): Network => this.reached;

  /**
   * Reloads the secrets. Separate from the settings: a corrected secret applies even if the file has errors. A locked
   * Keychain says nothing about the secret in it, so the previous one stays in use.
   */
  readonly readSecrets = (): void => {
    const { loaded, env, log, onSecrets } = this.options;
    try {
      const { secrets, unread } = findSecrets(env, readDotenv(loaded.envPath));
      this.warnOf(unread.map(({ warning }) => warning));
      const kept = Object.entries(this.current).filter(([name]) => unread.some((one) => one.name === name));
      const found: Secrets = { ...secrets, ...Object.fromEntries(kept) };
      if (SECRET_VARIABLES.every(({ name }) => found[name] === this.current[name])) return;
      this.current = found;
    } catch (error) {
      log.warn('.env cannot be read; the old secrets stay', { cause: describeError(error) });
      return;
    }
    const { edgeSecret, edgeToken } = this.current;
    if (edgeSecret === undefined && edgeToken === undefined)
      log.warn('The secrets changed: there is neither EDGE_SECRET nor EDGE_TOKEN now');
    else log.info('The secrets changed: using the new ones');
    onSecrets(this.current);
  };

  /** Takes over what the files say now. */
  readonly reload = (): void => {
    this.readSecrets();
    this.takeSettings();
  };

  start(): void {
    this.watch.start();
  }

  stop(): void {
    this.watch.stop();
  }

  faults(): Problem<number, ConfigCode>[] {
    return [...(this.refused === undefined ? [] : [this.refused]), ...this.waiting(), ...this.ignoredTls()];
  }

  /** Once for each way in which the Keychain fails. */
  private warnOf(unread: readonly string[]): void {
    const { log } = this.options;
    const before = this.unread;
    this.unread = unread.join(' ');
    if (this.unread === before) return;
    if (this.unread === '') log.info('No secret is waiting for the Keychain any more');
    else log.warn(`${this.unread} The previous secret stays in use. Once this is fixed: edge-agent kick`);
    for (const warning of unread) this.warned.add(warning);
  }

  private takeSettings(): void {
    const { loaded, config, clock, log, onSettings } = this.options;
    let next: LoadedConfig;
    try {
      next = loaded.reload();
    } catch (error) {
      this.refuse(error);
      return;
    }
    if (this.refused !== undefined) log.info('The configuration is valid again');
    this.refused = undefined;
    this.refusedFiles = [];
    for (const warning of next.warnings) if (!this.warned.has(warning)) log.warn(maskContacts(warning));
    for (const warning of next.warnings) this.warned.add(warning);
    if (next.ignoredTls.join() !== this.tls.names.join()) {
      this.tls = { names: next.ignoredTls, since: clock.now() };
    }
    this.takeNetwork(next.network);
    const before = config.waiting().join();
    const changed = config.reload(next);
    if (changed.length > 0) {
      log.info('The configuration was changed', { keys: changed.join(',') });
      onSettings(changed);
    }
    const waiting = config.waiting().join();
    if (waiting === before) return;
    this.waitingSince = clock.now();
    if (waiting === '') log.info('No configuration change needs a restart any more');
    else
      log.warn('The configuration was changed; some of it takes effect after a restart', {
        keys: waiting,
      });
  }

  /** The certificates in force, and those that a refused configuration names. */
  private otherFiles(): string[] {
    const { ca_file: inForce } = this.options.config.current().backend;
    return [...(inForce === undefined ? [] : [inForce]), ...this.refusedFiles];
  }

  private takeNetwork(network: Network): void {
    if (JSON.stringify(network) === JSON.stringify(this.reached)) return;
    this.reached = network;
    this.options.onNetwork(network);
  }

  private refuse(error: unknown): void {
    const { clock, log } = this.options;
    const isInvalid = error instanceof ConfigError;
    this.refusedFiles = isInvalid ? error.files : [];
    const reason = isInvalid
      ? `The changed configuration is invalid: ${error.mistakes.map(describeMistake).join('; ')}`
      : describeError(error).replace(/\.$/, '');
    const message = `${reason}. The previous configuration stays in use.`;
    if (this.refused?.message === message) return;
    const code = isInvalid ? 'config_invalid' : 'config_unreadable';
    const remedy =
      isInvalid || !(error instanceof EdgeError)
        ? 'Correct it; it is applied as soon as it is saved.'
        : error.remedy;
    log.error(maskContacts(message), { code });
    this.refused = { code, since: this.refused?.since ?? clock.now(), message, remedy };
  }

  private ignoredTls(): Problem<number, ConfigCode>[] {
    const { names, since } = this.tls;
    if (names.length === 0) return [];
    return [
      {
        code: 'tls_setting_ignored',
        since,
        message: `Certificates are verified, by TLS 1.2 or later, although these settings ask for less: ${names.join(', ')}.`,
        remedy: 'Remove it where it is set. For a certificate of your own authority, set backend.ca_file.',
      },
    ];
  }

  private waiting(): Problem<number, ConfigCode>[] {
    const keys = this.options.config.waiting();
    if (keys.length === 0) return [];
    return [
      {
        code: 'config_needs_restart',
        since: this.waitingSince,
        message: `Changed in the configuration, but not used before a restart: ${keys.join(', ')}.`,
        remedy: `${this.options.restart} Or undo the change.`,
      },
    ];
  }
}
