import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describeError, EdgeError } from '../../errors.js';
import { isMissing } from '../../system/missingFile.js';
import { writeNewFile } from '../../system/writeNewFile.js';
import type { GatewayPlace } from './gatewayPlace.js';

const KEY_BYTES = 32;

/**
 * The key under which the secrets of agents and webhooks are sealed in the database: `GATEWAY_KEY`, else the file `<data>.key`, which is
 * made (mode 0600) together with a new SQLite file. Throws EdgeError `secret_missing`.
 */
export function gatewayKey(place: GatewayPlace, given: string | undefined): Buffer {
  if (given !== undefined && given !== '') return decoded(given, 'GATEWAY_KEY');
  if (place.kind === 'postgres') {
    throw new EdgeError(
      'secret_missing',
      'GATEWAY_KEY is not set. With PostgreSQL it has to be, the same for every replica.',
      'Make one with: openssl rand -base64 32',
    );
  }
  const file = `${place.path}.key`;
  const kept = read(file);
  if (kept !== undefined) return decoded(kept, file);
  if (existsSync(place.path)) {
    throw new EdgeError(
      'secret_missing',
      `${file} is missing, and the secrets in ${place.path} do not open without it.`,
      'Put it back from your backup, or set GATEWAY_KEY to what was in it.',
    );
  }
  return made(file);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new EdgeError(
      'secret_missing',
      `${file} cannot be read: ${describeError(error)}.`,
      'Run this as the user whose gateway it is.',
      { cause: error },
    );
  }
}

function made(file: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  try {
    writeNewFile(file, `${key.toString('base64')}\n`);
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

function decoded(text: string, where: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new EdgeError(
    'secret_missing',
    `${where} is not ${KEY_BYTES} bytes in base64.`,
    'Make one with: openssl rand -base64 32',
  );
}
