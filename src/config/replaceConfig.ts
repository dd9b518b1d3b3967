import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import { writeNewFile } from '../system/writeNewFile.js';
import { readTextFile } from './places.js';
import { behindLinks, replaceFile } from './replaceFile.js';

/**
 * Replaces the text of the configuration file, and saves the old one as `config.yaml.bak-<time>` (0600, UTC) next to
 * it. `before` is the text on which the change is based, null: there was no file. Returns the path of the copy. Throws
 * EdgeError `config_unreadable` if the file was changed since, `state_unwritable`.
 */
export function replaceConfig(
  path: string,
  before: string | null,
  text: string,
  now: number,
): string | undefined {
  if (readTextFile(path) !== before) {
    throw new EdgeError(
      'config_unreadable',
      `${path} was changed by another program in the meantime. It was not overwritten.`,
      'Try again.',
    );
  }
  const copy = before === null ? undefined : keepConfig(path, before, now);
  replaceFile(path, text);
  return copy;
}

/** Saves a copy of the configuration file next to it. Returns the path of the copy. Throws EdgeError `state_unwritable`. */
export function keepConfig(path: string, text: string | Buffer, now: number): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const usual = `${behindLinks(path)}.bak-${time}`;
  for (let count = 1; ; count += 1) {
    const copy = count === 1 ? usual : `${usual}-${count}`;
    try {
      writeNewFile(copy, text);
      return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new EdgeError(
        'state_unwritable',
        `${copy}, the copy of the current configuration, cannot be written: ${describeError(error)}. Nothing was changed.`,
        'Check the owner, permissions and free space of its directory.',
        { cause: error },
      );
    }
  }
}

/** What `keepConfig` has kept of that file. */
export function keptConfigs(path: string): string[] {
  const place = behindLinks(path);
  const directory = dirname(place);
  if (!existsSync(directory)) return [];
  const start = `${basename(place)}.bak-`;
  const isKept = (name: string) =>
    name.startsWith(start) && /^\d{8}T\d{6}Z(?:-\d+)?$/.test(name.slice(start.length));
  return readdirSync(directory)
    .filter(isKept)
    .map((name) => join(directory, name));
}
