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
