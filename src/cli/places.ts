import { homedir } from 'node:os';
import type { ConfigPlaces } from '../config/places.js';
import { environment } from '../system/environment.js';
import { hostPlatform } from '../system/programs.js';

/** Where this process looks for its configuration. */
export function places(options: { configPath?: string }): ConfigPlaces {
  return {
    ...(options.configPath === undefined ? {} : { configPath: options.configPath }),
    env: environment(),
    cwd: process.cwd(),
    homeDir: homedir(),
    platform: hostPlatform(),
  };
}
