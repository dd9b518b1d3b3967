import type { IncomingHttpHeaders } from 'node:http';

/** Names that lead to this machine only. Any port: an SSH tunnel has its own. */
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?$/i;

/** What a request says of where it comes from. */
interface RequestOrigin {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/**
 * Whether a request is meant for this machine and made by a page of it, or by no page at all. A Host of another name is a
 * name that was bent to us (DNS rebinding); a foreign Origin is another site's page in the operator's browser, to which
 * WebSockets are open otherwise (RFC 6455, 10.2).
 */
export function isLocal({ host, origin }: RequestOrigin): boolean {
  if (host === undefined || !LOOPBACK.test(host)) return false;
  if (origin === undefined) return true;
  const [, rest = ''] = /^https?:\/\/(.*)$/i.exec(origin) ?? [];
  return LOOPBACK.test(rest);
}

/**
 * Whether a browser says that another site's page asks for it, as for a picture or by a frame: for those it sends no Origin
 * (Fetch Metadata, W3C). A link that a person follows leads here from anywhere.
 */
export function isOfAnotherSite(headers: Readonly<IncomingHttpHeaders>): boolean {
  return headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-dest'] !== 'document';
}
