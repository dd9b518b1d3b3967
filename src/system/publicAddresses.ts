import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** Finds every address of a host. */
export type FindAddresses = (
  host: string,
  found: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const findAddresses: FindAddresses = (host, found) => systemLookup(host, { all: true }, found);

/** Why a host is not connected to. */
export class PrivateAddressError extends Error {
  constructor() {
    super('the host has an address that is not on the public internet');
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

/** IPv4 that is not the public internet: IANA's special-purpose registry, multicast and reserved. */
const NOT_PUBLIC_4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Within 2000::/3, the only public part of IPv6: protocol assignments (with Teredo), documentation, 6to4. */
const NOT_PUBLIC_6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const blocked = new BlockList();
for (const [net, prefix] of NOT_PUBLIC_4) blocked.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of NOT_PUBLIC_6) blocked.addSubnet(net, prefix, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/**
 * Whether an IP address is one of the public internet: not this machine, its networks, carriers' (CGNAT), link-local,
 * unique-local, or an IPv6 form that carries an IPv4 address. False for what is no address.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !blocked.check(address, 'ipv4');
    case 6:
      return (
        !address.includes('%') && globalUnicast.check(address, 'ipv6') && !blocked.check(address, 'ipv6')
      );
    default:
      return false;
  }
}
