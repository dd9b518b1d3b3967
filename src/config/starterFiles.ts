import { EdgeError } from '../errors.js';
import { parseDotenv } from './dotenv.js';

/** The settings that a first configuration cannot do without. */
export interface Essentials {
  readonly userPhone: string;
  readonly backendUrl: string;
}

/** Written next to the config.yaml of setup, because editors accept no absolute path with a space, as in the usual one. */
export const SCHEMA_FILE = 'edge-agent.schema.json';

/** The included config.yaml with its comments, with the two required settings filled in and its schema next to it. */
export function starterConfig(template: string, { userPhone, backendUrl }: Essentials): string {
  // A JSON string is a YAML string, whatever is in it.
  const values: readonly (readonly [RegExp, string])[] = [
    [/^(# yaml-language-server: \$schema=).*$/m, `./${SCHEMA_FILE}`],
    [/^( {2}user_phone: ).*$/m, JSON.stringify(userPhone)],
    [/^( {2}url: ).*$/m, JSON.stringify(backendUrl)],
  ];
  return values.reduce((text, [line, value]) => {
    if (!line.test(text))
      throw new EdgeError('internal', `The template of config.yaml has no line ${line.source}.`);
    return text.replace(line, (_line, key: string) => `${key}${value}`);
  }, template);
}

/**
 * The text of a `.env` in which a variable has that value, and every other line is as it was. Throws EdgeError
 * `invalid_payload` for a value that one line of `.env` cannot hold.
 */
export function dotenvWith(text: string, name: string, value: string): string {
  const line = `${name}=${quoted(value)}`;
  if (parseDotenv(line).entries.get(name)?.value !== value) {
    throw new EdgeError(
      'invalid_payload',
      `${name} contains a character that .env cannot contain.`,
      'Put it on one line, without control characters.',
    );
  }
  const own = new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=`);
  const lines = text.split(/\r\n|\n|\r/);
  const first = lines.findIndex((other) => own.test(other));
  if (first < 0)
    return `${[...lines.filter((other, index) => other !== '' || index < lines.length - 1), line].join('\n')}\n`;
  const kept = lines.flatMap((other, index) => (index === first ? [line] : own.test(other) ? [] : [other]));
  return `${kept.join('\n').replace(/\n+$/, '')}\n`;
}

/** Whether the text sets the variable to anything. */
export function dotenvSets(text: string, name: string): boolean {
  return (parseDotenv(text).entries.get(name)?.value.trim() ?? '') !== '';
}

function quoted(value: string): string {
  if (!value.includes("'")) return `'${value}'`;
  return `"${value.replace(/[\\"$]/g, '\\$&')}"`;
}
