import { isIPv6 } from 'node:net';
import { isLoopback } from '../../config/backendUrls.js';
import { EdgeError } from '../../errors.js';

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

/**
 * Throws EdgeError `secret_missing` when there is no secret, and where others than this machine can reach the backend
 * also when it is the well-known one or a short one: whoever has it can text people from somebody's phone number.
 */
export function demandSecret(secret: string, host: string): void {
  if (secret === '') {
    throw new EdgeError(
      'secret_missing',
      'The backend has no secret.',
      'Give it the EDGE_SECRET of the agent.',
    );
  }
  const isOpen = host === '0.0.0.0' || host === '::' || !isLoopback(hostInUrl(host));
  if (isOpen && (secret === DEV_SECRET || secret.length < SHORTEST_SECRET)) {
    throw new EdgeError(
      'secret_missing',
      `A backend on ${host} can be reached by others, and its secret is ${secret === DEV_SECRET ? 'the well-known one' : 'short'}.`,
      `Give it a secret of ${SHORTEST_SECRET} characters or more (openssl rand -hex 32), or let it listen on ${LOOPBACK}.`,
    );
  }
}
