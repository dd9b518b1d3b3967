import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { replaceFile } from '../../config/replaceFile.js';
import { describeError, EdgeError } from '../../errors.js';
import { isMissing } from '../../system/missingFile.js';
import { writeNewFile } from '../../system/writeNewFile.js';
import type { GatewayPlace } from './gatewayPlace.js';

const KEY_BYTES = 32;

/** The keys of a gateway, of which the first seals. */
export interface GatewayKeys {
  readonly key: Buffer;
  /** Those before it, which still open what was sealed under them. */
  readonly before: readonly Buffer[];
  /** Where they are kept; undefined: in the environment. */
  readonly file: string | undefined;
}

/**
 * The keys under which the secrets of agents and webhooks are sealed in the database: `GATEWAY_KEY` (several with commas between them),
 * else the file `<data>.key` (one on each line), which is made (mode 0600) together with a new SQLite file. Throws EdgeError
 * `secret_missing`.
 */
export function gatewayKeys(place: GatewayPlace, given: string | undefined): GatewayKeys {
  if (given !== undefined && given !== '') return decoded(given.split(','), 'GATEWAY_KEY', undefined);
  if (place.kind === 'postgres') {
    throw new EdgeError(
      'secret_missing',
      'GATEWAY_KEY is not set. With PostgreSQL it has to be, the same for every replica.',
      'Make one with: openssl rand -base64 32',
    );
  }
  const file = `${place.path}.key`;
  const kept = read(file);
  if (kept !== undefined) return decoded(kept.trim().split('\n'), file, file);
  if (existsSync(place.path)) {
    throw new EdgeError(
      'secret_missing',
      `${file} is missing, and the secrets in ${place.path} cannot be decrypted without it.`,
      'Put it back from your backup, or set GATEWAY_KEY to what was in it.',
    );
  }
  return { key: made(file), before: [], file };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new EdgeError(
      'secret_missing',
      `${file} cannot be read: ${describeError(error)}.`,
      'Run this as the user who runs the gateway.',
      { cause: error },
    );
  }
}

function made(file: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  try {
    writeNewFile(file, keyFile([key]));
  } catch (error) {
    throw new EdgeError(
      'secret_missing',
      `${file} cannot be written: ${describeError(error)}.`,
      'Name another place with --data, or set GATEWAY_KEY.',
      { cause: error },
    );
  }
  return key;
}

function decoded(texts: readonly string[], where: string, file: string | undefined): GatewayKeys {
  const [key, ...before] = texts.map((text) => Buffer.from(text.trim(), 'base64'));
  if (key?.length === KEY_BYTES && before.every(({ length }) => length === KEY_BYTES))
    return { key, before, file };
  throw new EdgeError(
    'secret_missing',
    `${where} is not ${KEY_BYTES} bytes in base64.`,
    'Make one with: openssl rand -base64 32',
  );
}

/**
 * The key that every secret is to be sealed under: a fresh one, which is in the file before those that were there when this returns; or
 * the first one of several, where that was begun before or the environment says so. Throws EdgeError where there is none.
 */
export function nextKey({ key, before, file }: GatewayKeys): Buffer {
  if (before.length > 0) return key;
  if (file === undefined)
    throw new EdgeError(
      'invalid_payload',
      'GATEWAY_KEY has one key, and everything is encrypted under it.',
      'Set it to the new key, a comma, and the key that it has now.',
    );
  const fresh = randomBytes(KEY_BYTES);
  replaceFile(file, keyFile([fresh, key]));
  return fresh;
}

/** Leaves only this key in the file. */
export function forgetKeysBefore(file: string, key: Buffer): void {
  replaceFile(file, keyFile([key]));
}

const keyFile = (keys: readonly Buffer[]) => keys.map((key) => `${key.toString('base64')}\n`).join('');
