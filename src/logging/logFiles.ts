import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isMissing } from '../system/missingFile.js';

/** The files of a log that are there: the rotated ones (`.9` … `.1`), oldest first, and the current one last. */
export function logFiles(current: string): string[] {
  const name = basename(current);
  const numbers = entriesOf(dirname(current))
    .filter((entry) => entry.startsWith(`${name}.`))
    .map((entry) => entry.slice(name.length + 1))
    .filter((ending) => /^[1-9]\d{0,5}$/.test(ending));
  const rotated = numbers.map(Number).toSorted((a, b) => b - a);
  return [...rotated.map((number) => `${current}.${number}`), current];
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(join(directory));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
