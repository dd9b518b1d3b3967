import { isLoopback } from '../system/network.js';

/** The part of the configuration that says where the backend is. */
interface BackendPlace {
  readonly backend: { readonly url: string; readonly websocket_url?: string | undefined };
}

type BackendUrl =
  | { readonly kind: 'usable'; readonly url: URL }
  | { readonly kind: 'refused'; readonly expected: string };

const SCHEMES = new Set(['http:', 'https:', 'ws:', 'wss:']);
const SECURE = new Set(['https:', 'wss:']);
const SOCKET_PATH = '/edge/ws';

/**
 * Judges an address of the backend: http, https, ws or wss (interchangeable), no user name or password in it, and
 * TLS unless it is on this machine, because credentials and messages travel on it.
 */
export function parseBackendUrl(text: string): BackendUrl {
  const refused = (expected: string): BackendUrl => ({ kind: 'refused', expected });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refused('a URL such as https://backend.example.com');
  }
  if (!SCHEMES.has(url.protocol)) return refused('a URL that begins with https:// or wss://');
  if (url.username !== '' || url.password !== '') {
    return refused('a URL without user name and password (secrets belong in .env)');
  }
  if (!SECURE.has(url.protocol) && !isLoopback(url.hostname)) {
    return refused(
      'https:// or wss://, because this host is not this machine and secrets would be sent in plain text',
    );
  }
  return { kind: 'usable', url };
}

/** An address for display: without the part before an @, which may be a password. */
export function shownAddress(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@');
}

/** A URL fit for a log or a bundle: the values in its query, which may be keys, are hidden; the agent's own id is not. */
export function loggableUrl(text: string): string {
  if (!URL.canParse(text)) return shownAddress(text);
  const url = new URL(text);
  const shown = [...url.searchParams].map(
    ([name, value]) => `${encodeURIComponent(name)}=${name === 'edge_agent_id' ? value : '[secret]'}`,
  );
  return shownAddress(text.replace(/[?#].*$/s, '')) + (shown.length === 0 ? '' : `?${shown.join('&')}`);
}

/**
 * `backend.url` as the configuration keeps it: http(s), with its path prefix, without a trailing slash, `/edge/ws`,
 * query or fragment. Expects what `parseBackendUrl` found usable.
 */
export function normaliseBase(text: string): string {
  const url = new URL(text);
  return `${withScheme(url, 'http')}${stem(url)}`;
}

/** `backend.websocket_url` as the configuration keeps it: ws(s), ending in `/edge/ws`, its query kept but for the id. */
export function normaliseWebSocket(text: string): string {
  const url = new URL(text);
  url.searchParams.delete('edge_agent_id');
  return `${withScheme(url, 'ws')}${stem(url)}${SOCKET_PATH}${url.search}`;
}

/** The root of all HTTP endpoints, without a trailing slash: append `/edge/sync` and the like. */
export function httpBase(config: BackendPlace): string {
  return normaliseBase(config.backend.url);
}

/** The URL to dial for this agent: `backend.websocket_url`, else `backend.url`, as ws(s) with the id in its query. */
export function webSocketUrl(config: BackendPlace, agentId: string): string {
  const url = new URL(normaliseWebSocket(config.backend.websocket_url ?? config.backend.url));
  url.searchParams.set('edge_agent_id', agentId);
  return url.href;
}

function withScheme(url: URL, scheme: 'http' | 'ws'): string {
  return `${scheme}${SECURE.has(url.protocol) ? 's' : ''}://${url.host}`;
}

function stem(url: URL): string {
  const path = url.pathname.replace(/\/+$/, '');
  return path.endsWith(SOCKET_PATH) ? path.slice(0, -SOCKET_PATH.length).replace(/\/+$/, '') : path;
}
