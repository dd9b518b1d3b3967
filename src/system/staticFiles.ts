import { readFileSync } from 'node:fs';
import { extname, join, normalize, sep } from 'node:path';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** A file of the page. */
interface StaticFile {
  readonly contentType: string;
  readonly body: Buffer;
  /** Its name changes with its content, so that it may be kept for ever. */
  readonly isHashed: boolean;
}

/** esbuild's `[name]-[hash]`: eight characters of base32. */
const HASHED = /-[A-Z0-9]{8}\.\w+$/;

/** The page's file at a URL's path; undefined where there is none. `/` is index.html; nothing outside the directory is read. */
export function staticFile(directory: string, urlPath: string): StaticFile | undefined {
  const name = urlPath === '/' ? 'index.html' : decoded(urlPath);
  const contentType = CONTENT_TYPES[extname(name)];
  const path = normalize(join(directory, name));
  if (contentType === undefined || name.includes('\0') || !path.startsWith(`${directory}${sep}`))
    return undefined;
  try {
    return { contentType, body: readFileSync(path), isHashed: HASHED.test(name) };
  } catch {
    // Whatever keeps it from being read, there is no such file for a browser.
    return undefined;
  }
}

function decoded(urlPath: string): string {
  try {
    return decodeURIComponent(urlPath);
  } catch {
    // Half an escape: no name of ours.
    return '';
  }
}

/**
 * The headers of every answer of our pages: only their own files run, nothing is loaded from or sent to other hosts,
 * and no page may frame them. `socketHost`: the host of its WebSocket, because some browsers do not treat ws: as
 * 'self'; it must be verified to be this machine.
 */
export function securityHeaders(socketHost?: string): Record<string, string> {
  // A policy cannot name an IPv6 address (CSP 3, host-source).
  const socket = socketHost === undefined || socketHost.startsWith('[') ? '' : ` ws://${socketHost}`;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "manifest-src 'self'",
    `connect-src 'self'${socket}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
}
