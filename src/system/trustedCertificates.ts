import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { environment } from './environment.js';

/**
 * The certificates that are trusted, in PEM: Node's own, those of the system where Node can read them (22.15 and later,
 * nodejs.org/api/tls.html), and `more`. Undefined if there are only Node's own, which it then uses by default. The
 * system's are read once per process.
 */
export function trustedCertificates(more: string | undefined): string[] | undefined {
  const system = fromNode('system') ?? [];
  if (system.length === 0 && more === undefined) return undefined;
  const own = fromNode('default') ?? [...tls.rootCertificates, ...extra()];
  return [...new Set([...own, ...system]), ...(more === undefined ? [] : [more])];
}

function fromNode(store: 'default' | 'system'): string[] | undefined {
  const read: unknown = Reflect.get(tls, 'getCACertificates');
  if (typeof read !== 'function') return undefined;
  const found: unknown = Reflect.apply(read, undefined, [store]);
  return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
}

/** What Node before 22.15 also trusts by default, without listing it: an explicit list replaces it. */
function extra(): string[] {
  const path = environment().NODE_EXTRA_CA_CERTS;
  if (path === undefined || path === '') return [];
  try {
    return [readFileSync(path, 'utf8')];
  } catch {
    // Node itself warns about it when it starts, and continues without.
    return [];
  }
}
