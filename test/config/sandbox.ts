import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, type Mistake } from '../../src/config/ConfigError.js';
import { type LoadedConfig, loadConfig } from '../../src/config/loadConfig.js';
import type { ConfigPlaces } from '../../src/config/places.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

export const REQUIRED = { BACKEND_URL: 'https://backend.example.com', USER_PHONE: '+13105550100' };

/** The two required settings as a file. */
export const MINIMAL = 'edge:\n  user_phone: "+13105550100"\nbackend:\n  url: https://backend.example.com\n';

/** A home and a working directory of a test's own, gone when it is over. */
export class Sandbox {
  readonly root = realpathSync(temporaryDirectory());
  readonly home = join(this.root, 'home');
  readonly cwd = join(this.root, 'work');

  constructor() {
    mkdirSync(this.home);
    mkdirSync(this.cwd);
  }

  places(changes: Partial<ConfigPlaces> = {}): ConfigPlaces {
    return { env: {}, cwd: this.cwd, homeDir: this.home, platform: 'linux', ...changes };
  }

  write(path: string, text: string | Buffer, mode = 0o600): string {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text, { mode });
    return full;
  }

  load(changes: Partial<ConfigPlaces> = {}): LoadedConfig {
    return loadConfig(this.places(changes));
  }

  /** Loads `text` as ./config.yaml. */
  loadYaml(text: string, changes: Partial<ConfigPlaces> = {}): LoadedConfig {
    this.write('work/config.yaml', text);
    return this.load(changes);
  }

  /** The mistakes in `text`; fails when there are none. */
  mistakesIn(text: string, env: NodeJS.ProcessEnv = {}): readonly Mistake[] {
    return this.errorOf(text, env).mistakes;
  }

  errorOf(text: string, env: NodeJS.ProcessEnv = {}): ConfigError {
    try {
      this.loadYaml(text, { env });
    } catch (thrown) {
      if (thrown instanceof ConfigError) return thrown;
      throw thrown;
    }
    throw new Error('the configuration was accepted');
  }
}
