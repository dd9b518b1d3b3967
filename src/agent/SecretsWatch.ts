import { statSync } from 'node:fs';
import { readDotenv } from '../config/dotenv.js';
import { findSecrets, type Secrets } from '../config/secrets.js';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';

const LOOK_EVERY_MS = 2_000;

export interface SecretsWatchOptions {
  envPath: string;
  env: NodeJS.ProcessEnv;
  secrets: Secrets;
  clock: Clock;
  log: Logger;
  onChange: (secrets: Secrets) => void;
}

/** Keeps the secrets as `.env` has them now: a corrected one counts without a restart. */
export class SecretsWatch {
  private timer: Timer | undefined;
  private seen: string;
  private secrets: Secrets;

  constructor(private readonly options: SecretsWatchOptions) {
    this.secrets = options.secrets;
    this.seen = this.stamp();
  }

  readonly current = (): Secrets => this.secrets;

  start(): void {
    this.timer = this.options.clock.after(LOOK_EVERY_MS, () => {
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.timer?.cancel();
  }

  private look(): void {
    const stamp = this.stamp();
    if (stamp === this.seen) return;
    this.seen = stamp;
    const { envPath, env, log, onChange } = this.options;
    try {
      const found = findSecrets(env, readDotenv(envPath)).secrets;
      if (JSON.stringify(found) === JSON.stringify(this.secrets)) return;
      this.secrets = found;
    } catch (error) {
      log.warn('The changed .env cannot be read; the old secrets stay', { cause: describeError(error) });
      return;
    }
    log.info('.env changed: using the new secrets');
    onChange(this.secrets);
  }

  private stamp(): string {
    const stats = statSync(this.options.envPath, { throwIfNoEntry: false });
    return stats === undefined ? 'none' : `${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  }
}
