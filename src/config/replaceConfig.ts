import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import { writeNewFile } from '../system/writeNewFile.js';
import { readTextFile } from './places.js';
import { behindLinks, replaceFile } from './replaceFile.js';

/**
 * Puts another text into the configuration file, and keeps the one before as `config.yaml.bak-<time>` (0600, UTC) beside it.
 * `before` is what the change was made from, null: there was no file. Returns the place of the copy. Throws EdgeError
 * `config_unreadable` where somebody else has changed the file since, `state_unwritable`.
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

/** Keeps what is in the configuration file beside it. Returns the place of the copy. Throws EdgeError `state_unwritable`. */
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
        `${copy}, the copy of the present configuration, cannot be written: ${describeError(error)}. Nothing was changed.`,
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
