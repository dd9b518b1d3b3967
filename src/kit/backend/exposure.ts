import { isIPv6 } from 'node:net';
import { EdgeError } from '../../errors.js';
import { isLoopback } from '../../system/network.js';

/** The secret of a backend that nobody gave one. Good on one machine alone. */
export const DEV_SECRET = 'dev-secret';

/** The address that a backend listens on unless told otherwise: nobody but this machine reaches it. */
export const LOOPBACK = '127.0.0.1';

/** Shorter ones can be guessed. */
const SHORTEST_SECRET = 16;

/** A host as it stands in a URL; an address that stands for all of this machine's becomes one of them. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return LOOPBACK;
  return isIPv6(host) ? `[${host}]` : host;
}

/** What lets somebody into a backend, and where it stands. */
interface Exposure {
  host: string;
  secret: string;
  /** Undefined: the secret. */
  adminKey: string | undefined;
  /** Undefined: nobody registers without the secret. */
  registrationToken: string | undefined;
  production: boolean;
}

/**
 * Throws EdgeError `secret_missing` when there is no secret. Where others than this machine can reach the backend, and in
 * production, none of its keys may be the well-known one or short: whoever has one can text people from somebody's
 * phone number. In production the secret signs and does nothing else, so the other two must differ from it.
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
      `${where} takes no plain secret, and so needs an admin key that is not the secret.`,
      'Give it one with --admin-key or EDGE_ADMIN_KEY (openssl rand -hex 32).',
    );
  }
  if (production && registrationToken === secret) {
    throw new EdgeError(
      'secret_missing',
      `${where} takes no plain secret, and its registration token is the secret.`,
      'Give it another REGISTRATION_TOKEN (openssl rand -hex 32).',
    );
  }
}
