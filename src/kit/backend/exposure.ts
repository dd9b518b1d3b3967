import { isIPv6 } from 'node:net';
import { EdgeError } from '../../errors.js';
import { isLoopback } from '../../system/network.js';

/** The default secret of a backend. Only valid on one machine. */
export const DEV_SECRET = 'dev-secret';

/** The default address of a backend: only this machine can reach it. */
export const LOOPBACK = '127.0.0.1';

/** Shorter ones can be guessed. */
const SHORTEST_SECRET = 16;

/** A host as in a URL; a wildcard address becomes one of this machine's addresses. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return LOOPBACK;
  return isIPv6(host) ? `[${host}]` : host;
}

/** The credentials of a backend, and its exposure. */
interface Exposure {
  host: string;
  secret: string;
  /** Undefined: the secret. */
  adminKey: string | undefined;
  /** Undefined: registration requires the secret. */
  registrationToken: string | undefined;
  production: boolean;
}

/**
 * Throws EdgeError `secret_missing` when there is no secret. If other machines can reach the backend, and in
 * production, none of its keys may be the default one or short: anyone who has one can text people from the user's
 * phone number. In production the secret is only used to sign, so the other two must differ from it.
 */
export function demandSecrets({ host, secret, adminKey, registrationToken, production }: Exposure): void {
  if (secret === '') {
    throw new EdgeError(
      'secret_missing',
      'The backend has no secret.',
      'Give it the EDGE_SECRET of the agent.',
    );
  }
  const isOpen = host === '0.0.0.0' || host === '::' || !isLoopback(hostInUrl(host));
  if (!isOpen && !production) return;
  const where = production ? 'A backend in production' : `A backend on ${host}`;
  const keys = { secret, 'admin key': adminKey, 'registration token': registrationToken };
  for (const [name, key] of Object.entries(keys)) {
    if (key === undefined) continue;
    if (key === DEV_SECRET || key.length < SHORTEST_SECRET) {
      throw new EdgeError(
        'secret_missing',
        `${where} is open to others, and its ${name} is ${key === DEV_SECRET ? 'the well-known one' : 'short'}.`,
        `Give it a ${name} of ${SHORTEST_SECRET} characters or more (openssl rand -hex 32)${production ? '' : `, or let it listen on ${LOOPBACK}`}.`,
      );
    }
  }
  if (production && (adminKey ?? secret) === secret) {
    throw new EdgeError(
      'secret_missing',
      `${where} accepts no plain secret, so it needs an admin key other than the secret.`,
      'Give it one with --admin-key or EDGE_ADMIN_KEY (openssl rand -hex 32).',
    );
  }
  if (production && registrationToken === secret) {
    throw new EdgeError(
      'secret_missing',
      `${where} accepts no plain secret, and its registration token is the secret.`,
      'Give it another REGISTRATION_TOKEN (openssl rand -hex 32).',
    );
  }
}
