import { BlockList, isIP } from 'node:net';

/** A proxy, and where it was set: `backend.proxy (config.yaml:12)`, `HTTPS_PROXY (environment)`. */
export interface NamedProxy {
  /** http or https; may hold a user name and a password, so it is never shown: see `proxyName`. */
  readonly url: string;
  readonly place: string;
  /** It is a variable of this process, which another process (a service of launchd) need not have. */
  readonly isOfProcess: boolean;
}

/** The route of outgoing connections. An immutable value: it is replaced when one of its sources changes. */
export interface Network {
  /** For https and wss. */
  readonly https?: NamedProxy | undefined;
  /** For http and ws. */
  readonly http?: NamedProxy | undefined;
  /** Hosts that no proxy is used for, as `NO_PROXY` lists them. */
  readonly noProxy: string;
  /** Certificates (PEM) that are trusted besides those of Node and of the system. */
  readonly ca?: string | undefined;
}

/** The proxy that a URL is asked by; undefined: none. This machine itself is never asked by a proxy. */
export function proxyFor(network: Network, url: URL): NamedProxy | undefined {
  const proxy = url.protocol === 'https:' || url.protocol === 'wss:' ? network.https : network.http;
  if (proxy === undefined || isLoopback(url.hostname) || isExempt(network.noProxy, url)) return undefined;
  return proxy;
}

/** A proxy as it may be shown: without user name and password. */
export function proxyName({ url }: NamedProxy): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/**
 * Whether `NO_PROXY` has the host of a URL: a name matches itself and its subdomains, with or without `.` or `*.`
 * before it; an address, or a network such as `10.0.0.0/8`, matches addresses; a port after it (`host:8443`) restricts
 * it; `*` matches all.
 */
function isExempt(noProxy: string, url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const secure = url.protocol === 'https:' || url.protocol === 'wss:';
  const port = url.port === '' ? (secure ? '443' : '80') : url.port;
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => covers(entry, host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  // The colons of an IPv6 address belong to it, unless it is in brackets.
  const [, name = entry, itsPort] = /^(\[.+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
  if (itsPort !== undefined && itsPort !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
  if (isIP(host) !== 0) return coversAddress(bare, host);
  return host === bare || host.endsWith(`.${bare}`);
}

function coversAddress(entry: string, address: string): boolean {
  const [net = '', prefix] = entry.split('/');
  const family = isIP(net);
  if (family === 0 || family !== isIP(address)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
  if (!Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(net, bits, kind);
  return list.check(address, kind);
}

/** Whether a URL's host is this machine: 127.0.0.0/8, ::1 or localhost. Expects the form that `URL` gives it. */
export function isLoopback(hostname: string): boolean {
  // URL has already made every spelling of an IPv4 address (127.1, 0x7f.1) a dotted quad.
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/**
 * Addresses of a local network: RFC 1918, 3927, 4193 and 4291, as they stand in an error of Node's (`connect EHOSTUNREACH
 * 192.168.1.20:443 - Local (0.0.0.0:0)`).
 */
const LOCAL_ADDRESS =
  /(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2})(?![\d.])|(?<![\da-f:])f(?:[cd][\da-f]{2}|e[89ab][\da-f]):/i;

/** Whether a host is one of the local network by its address, or by its name (mDNS, RFC 6762). */
export function isInLocalNetwork(host: string): boolean {
  return /\.local\.?$/i.test(host) || LOCAL_ADDRESS.test(host.replace(/^\[|\]$/g, ''));
}

/**
 * Whether a failed connection looks as where macOS 15 and later keep a program from the local network: no route to a host that is
 * in it. Terminals are exempt, so that the same host answers there.
 */
export function isKeptFromLocalNetwork(platform: NodeJS.Platform, host: string, detail: string): boolean {
  if (platform !== 'darwin' || !/\bEHOSTUNREACH\b/.test(detail)) return false;
  return isInLocalNetwork(host) || LOCAL_ADDRESS.test(detail.replace(/ - Local .*/, ''));
}

/** What a person does about it. */
export const ALLOW_LOCAL_NETWORK =
  'System Settings → Privacy & Security → Local Network: switch the agent on (Edge Agent, if installed so), then restart it. Not listed, or on already: check that the host is up.';
