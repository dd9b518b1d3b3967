import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Finds every address of a host. */
export type FindAddresses = (
  host: string,
  found: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const findAddresses: FindAddresses = (host, found) => systemLookup(host, { all: true }, found);

/** Why a host is not connected to. */
export class PrivateAddressError extends Error {
  constructor() {
    super('the host has an address that is not of the public internet');
  }
}

/**
 * The lookup of one connection: hands out the very addresses that it has judged, so that a name which answers otherwise
 * the next time gains nothing. One among them that may not be reached refuses the host.
 */
export function checkedLookup(
  mayReach: (address: string) => boolean,
  find: FindAddresses = findAddresses,
): LookupFunction {
  return (host, options, callback) => {
    find(host, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null) callback(error, '');
      else if (first === undefined) callback(new Error(`${host} has no address`), '');
      else if (!addresses.every(({ address }) => mayReach(address))) {
        callback(new PrivateAddressError(), '');
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
