import { readFileSync } from 'node:fs';

/** The version in our own package.json, found from the built file as well as from the source. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(manifest) as { version: unknown }).version);
}
