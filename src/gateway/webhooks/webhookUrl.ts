import { isForbiddenLiteral } from '../../system/judgedConnection.js';
import { isPublicAddress } from '../../system/publicAddresses.js';

/**
 * Why webhooks cannot be posted to this URL; undefined if they can, as far as the URL shows: what its name resolves to is judged at each
 * attempt.
 */
export function webhookUrlFault(given: string, allowPrivateAddresses: boolean): string | undefined {
  const url = new URL(given);
  if (url.username !== '' || url.password !== '') return 'A URL with a user name or password is not called.';
  if (allowPrivateAddresses) return undefined;
  if (url.protocol !== 'https:') return 'Expected an https URL.';
  return isForbiddenLiteral(url, isPublicAddress)
    ? 'The address is not one of the public internet.'
    : undefined;
}
