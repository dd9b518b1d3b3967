import { resolve } from 'node:path';
import { socketPath } from '../../operator/socketPath.js';
import { environment } from '../../system/environment.js';

/** Where the data of a gateway are, for every verb that works on them. */
export const GATEWAY_PLACE = [
  {
    flags: '--data <file>',
    about: 'the SQLite file of the gateway (default: $GATEWAY_DATA, else ./gateway.sqlite)',
  },
  {
    flags: '--database-url <url>',
    about: 'its PostgreSQL database instead (default: $DATABASE_URL)',
  },
] as const;

/** The options that say where the data are, as they were typed. */
export interface PlaceOptions {
  data?: string;
  databaseUrl?: string;
}

/** The options of a verb that asks a gateway for something, as they were typed. */
export interface AdminOptions extends PlaceOptions {
  json?: boolean;
}

/** Where the data of a gateway are; `path` is absolute. */
export type GatewayPlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** What was typed counts before the environment, and a database before a file. */
export function gatewayPlace({ data, databaseUrl }: PlaceOptions): GatewayPlace {
  const { GATEWAY_DATA, DATABASE_URL } = environment();
  const sqlite = (path: string): GatewayPlace => ({ kind: 'sqlite', path: resolve(path) });
  if (databaseUrl !== undefined) return { kind: 'postgres', url: databaseUrl };
  if (data !== undefined) return sqlite(data);
  if (DATABASE_URL) return { kind: 'postgres', url: DATABASE_URL };
  return sqlite(GATEWAY_DATA || 'gateway.sqlite');
}

/**
 * Where a gateway that runs on this SQLite file answers its operator: in a directory beside it that only its user can enter. Throws
 * EdgeError `state_unwritable` if the path is too long.
 */
export function adminSocket(path: string): string {
  return socketPath(`${path}.admin`);
}

/** What was typed as a list, separated by commas. */
export function listed(typed: string): string[] {
  return typed
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
