import { z } from 'zod';
import { PATH_PATTERN } from './places.js';

/** What is known of a setting beyond its type and default. */
export interface SettingNotes {
  readonly description: string;
  /** Completes "expected …" where type and range do not say enough. */
  readonly expected?: string;
  /** Its short environment name; every setting also has `EDGE_<PATH>`. */
  readonly variable?: string;
  /** A default that depends on the platform or another setting, in words; the loader supplies it. */
  readonly derived?: string;
  /** A path of a file or directory: `~` and relative paths are made absolute. */
  readonly path?: true;
  /** A URL whose path is secret: only its host is shown. */
  readonly secretPath?: true;
  /** A URL that may contain a user name and a password, which are not shown. */
  readonly secretUser?: true;
  /** The backend may change it (`config_update`). Implies `reload`. */
  readonly remote?: true;
  /** A change in the file counts at once; without it, with the next start. */
  readonly reload?: true;
}

/** The notes of every setting in `configSchema`. */
export const settingNotes = z.registry<SettingNotes>();

/** Spread into notes: counts at once. */
export const live = { reload: true } as const;
/** Spread into notes: counts at once, and the backend may change it. */
export const remote = { reload: true, remote: true } as const;

/** What the settings are made of. Ranges include both ends. */
export const path = () => z.string().regex(PATH_PATTERN);
export const pathNotes = { path: true, expected: 'a path (~ is your home directory)' } as const;
export const range = (from: number, to: number) => z.number().min(from).max(to);
export const count = (from: number, to: number) => z.int().min(from).max(to);
