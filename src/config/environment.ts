import type { Dotenv } from './dotenv.js';
import { CONFIG_PATH_VARIABLE, variable } from './places.js';
import { SECRET_VARIABLES } from './secrets.js';
import { SETTINGS, type Setting } from './settings.js';
import { suggest } from './suggest.js';

/** A setting's value as one variable gives it. */
interface FromVariable {
  readonly variable: string;
  readonly value: unknown;
  /** In `.env`; null in the environment. */
  readonly line: number | null;
}

const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;
const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

const KNOWN: readonly string[] = [
  ...SETTINGS.flatMap((setting) => setting.variables),
  ...SECRET_VARIABLES.map((secret) => secret.variable),
  CONFIG_PATH_VARIABLE,
];

/** The value of a setting in the environment; an empty variable counts as not set. */
export function fromEnvironment(setting: Setting, env: NodeJS.ProcessEnv): FromVariable | undefined {
  for (const name of setting.variables) {
    const text = variable(env, name);
    if (text !== undefined) return { variable: name, value: readText(setting, text), line: null };
  }
  return undefined;
}

/** The value of a setting in `.env`, by the same rules. */
export function fromDotenv(setting: Setting, dotenv: Dotenv): FromVariable | undefined {
  for (const name of setting.variables) {
    const entry = dotenv.entries.get(name);
    const text = entry?.value.trim();
    if (entry === undefined || text === undefined || text === '') continue;
    return { variable: name, value: readText(setting, text), line: entry.line };
  }
  return undefined;
}

/** Warnings about variables that look like ours and are not; their values are not shown. */
export function unknownVariables(env: NodeJS.ProcessEnv, dotenv: Dotenv): string[] {
  const inEnvironment = Object.keys(env)
    .filter((name) => name.startsWith('EDGE_') && variable(env, name) !== undefined)
    .toSorted()
    .map((name) => ({ name, place: 'environment' }));
  const inFile = [...dotenv.entries]
    .filter(([name]) => name.startsWith('EDGE_'))
    .map(([name, entry]) => ({ name, place: `.env:${entry.line}` }));
  return [...inEnvironment, ...inFile]
    .filter(({ name }) => !KNOWN.includes(name))
    .map(({ name, place }) => {
      const meant = suggest(name, KNOWN);
      return `${place}: ${name} is not a variable of edge-agent${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
}

/** The value of a text, by the kind of its setting. If it cannot be parsed, it stays a text, which the schema refuses. */
export function readText(setting: Setting, text: string): unknown {
  const lower = text.toLowerCase();
  switch (setting.kind) {
    case 'number':
      return NUMBER.test(text) ? Number(text) : text;
    case 'boolean':
      if (TRUE.has(lower)) return true;
      return FALSE.has(lower) ? false : text;
    case 'list':
      return text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    case 'text':
    case 'choice':
      return text;
  }
}
