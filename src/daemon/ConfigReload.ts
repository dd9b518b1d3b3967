import { ConfigError, describeMistake } from '../config/ConfigError.js';
import { readDotenv } from '../config/dotenv.js';
import { FilesWatch } from '../config/FilesWatch.js';
import type { LoadedConfig } from '../config/loadConfig.js';
import { findSecrets, SECRET_VARIABLES, type Secrets } from '../config/secrets.js';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { maskContacts } from '../logging/mask.js';
import type { Problem } from '../model/problem.js';
import type { Clock } from '../system/clock.js';
import type { Network } from '../system/network.js';
import type { LiveConfig } from './LiveConfig.js';

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
 * Takes over what is changed in the configuration file and in `.env`, as soon as it is saved: secrets and settings that can
 * count at once do, the others are named in `faults`. Files with mistakes change no setting: the old ones stay,
 * `faults` lists the mistakes, and goes when they are mended.
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
   * Reads the secrets anew. Apart from the settings: a corrected secret counts even where the file has mistakes. A Keychain
   * that is locked says nothing of the secret in it, so what was in force stays.
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
        message: `Certificates are verified, by TLS 1.2 at least, although these ask for less: ${names.join(', ')}.`,
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
        message: `Changed in the configuration, but not in force before a restart: ${keys.join(', ')}.`,
        remedy: `${this.options.restart} Or take the change back.`,
      },
    ];
  }
}
