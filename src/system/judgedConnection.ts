import type { ClientRequest } from 'node:http';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Outbound } from './Outbound.js';
import { checkedLookup, type FindAddresses, PrivateAddressError } from './publicAddresses.js';

export interface Judgement {
  /** Whether an IP address may be connected to. */
  readonly mayReach: (address: string) => boolean;
  readonly outbound: Outbound;
  /** Whether a proxy may look a name up itself: only where every address may be reached. */
  readonly proxyResolves: boolean;
  /** For tests. */
  readonly findAddresses?: FindAddresses | undefined;
}

/** Whether the host of a URL is an address itself, and one that may not be reached. Such a host is never looked up. */
export function isForbiddenLiteral(url: URL, mayReach: (address: string) => boolean): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isLiteral = host !== url.hostname || /^[\d.]+$/.test(host);
  return isLiteral && !mayReach(host);
}

/**
 * The options of a request that connects only to a checked address; or why there is none. Also through a proxy, which
 * gets the address. `watch` makes the final check, on the connection itself; call it with the request.
 */
export async function judgedOptions(
  url: URL,
  { mayReach, outbound, proxyResolves, findAddresses }: Judgement,
): Promise<
  Error | { options: { lookup?: LookupFunction; hostname?: string }; watch: (asked: ClientRequest) => void }
> {
  const lookup = checkedLookup(mayReach, findAddresses);
  if (outbound.proxy(url) === undefined) {
    return { options: { lookup }, watch: (asked) => watchSocket(asked, mayReach) };
  }
  const unwatched = () => undefined;
  if (proxyResolves) return { options: {}, watch: unwatched };
  // The proxy gets the checked address, because it might resolve the name differently.
  const found = await judgedAddress(url.hostname.replace(/^\[|\]$/g, ''), lookup);
  return found instanceof Error ? found : { options: { hostname: found }, watch: unwatched };
}

function watchSocket(asked: ClientRequest, mayReach: (address: string) => boolean): void {
  onceConnected(asked, ({ remoteAddress = '' }) => {
    if (!mayReach(remoteAddress)) asked.destroy(new PrivateAddressError());
  });
}

/** Calls `then` once the connection of a request is established, including TLS: data written from then on is sent immediately. */
export function onceConnected(asked: ClientRequest, then: (socket: Socket) => void): void {
  asked.on('socket', (socket) => {
    const isSecure = socket instanceof TLSSocket;
    // A kept-alive connection is already established. Within a tunnel the TLS socket is connected before its handshake.
    const stands = isSecure ? socket.alpnProtocol !== null : !socket.connecting;
    if (stands) then(socket);
    else socket.once(isSecure ? 'secureConnect' : 'connect', () => then(socket));
  });
}

function judgedAddress(host: string, lookup: LookupFunction): Promise<string | Error> {
  // What is an address itself was judged as part of the URL.
  if (isIP(host) !== 0) return Promise.resolve(host);
  return new Promise((resolve) => {
    lookup(host, {}, (error, address) => resolve(error ?? String(address)));
  });
}
