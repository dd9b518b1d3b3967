import { statSync } from 'node:fs';
import { isMissing } from '../system/missingFile.js';
import { readTextFile } from './places.js';

/** One variable of a `.env` file, with its line. */
interface DotenvEntry {
  readonly value: string;
  readonly line: number;
}

export interface Dotenv {
  readonly entries: ReadonlyMap<string, DotenvEntry>;
  /** Lines that were left out, and why. Never quotes a line: it may hold a secret. */
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
}

// Lines are cut before: with `s`, the two line separators of Unicode are characters like any other.
const ASSIGNMENT = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/s;
const DOUBLE_QUOTED = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/s;
const SINGLE_QUOTED = /^'([^']*)'\s*(?:#.*)?$/s;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

/**
 * Reads `.env` text. One variable a line: `KEY=value`, `export KEY=value`; spaces around `=` do not count.
 * - Without quotes the value ends at the line's end or at ` #`, and is trimmed; a `#` inside a word belongs to it.
 * - 'Single quotes' keep everything as it is; in "double quotes" \n \r \t \" \\ \$ are escapes.
 * - A value is one line. Nothing is expanded or executed: `$HOME` stays `$HOME`.
 * - Empty lines and lines that begin with `#` are comments. The last of two equal names wins, with a problem noted.
 */
export function parseDotenv(text: string): Dotenv {
  const entries = new Map<string, DotenvEntry>();
  const problems: { line: number; problem: string }[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const [, name, rest] = ASSIGNMENT.exec(content) ?? [];
    if (name === undefined || rest === undefined) {
      problems.push({ line, problem: 'is not of the form KEY=value and was ignored' });
      continue;
    }
    const value = readValue(rest);
    if (value === null) {
      problems.push({ line, problem: `${name} has a quote that does not end its value; it was ignored` });
      continue;
    }
    const earlier = entries.get(name);
    if (earlier !== undefined) {
      problems.push({
        line,
        problem: `${name} is set here and on line ${earlier.line}; the last one is used`,
      });
    }
    entries.set(name, { value, line });
  }
  return { entries, problems };
}

/** Reads a `.env` file; one that does not exist is empty. Throws `config_unreadable`. */
export function readDotenv(path: string): Dotenv {
  return parseDotenv(readTextFile(path) ?? '');
}

/** Whether others than its owner may touch the file: secrets in it are no secrets then. */
export function isOpenToOthers(path: string): boolean {
  try {
    return (statSync(path).mode & 0o077) !== 0;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

function readValue(rest: string): string | null {
  if (rest.startsWith('"')) {
    const inner = DOUBLE_QUOTED.exec(rest)?.[1];
    return inner?.replace(/\\(.)/g, (whole, letter: string) => ESCAPES[letter] ?? whole) ?? null;
  }
  if (rest.startsWith("'")) return SINGLE_QUOTED.exec(rest)?.[1] ?? null;
  return rest.replace(/(?:^|\s)#.*$/s, '').trim();
}
