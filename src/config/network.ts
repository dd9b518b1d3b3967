import type { NamedProxy, Network } from '../system/network.js';
import type { Dotenv } from './dotenv.js';
import { variable } from './places.js';
import { NO_PROXY, parseProxyUrl } from './proxyUrl.js';

/** In the order in which they count; the lower case is the older one (curl, wget). */
const VARIABLES = {
  https: ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
  http: ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  noProxy: ['no_proxy', 'NO_PROXY'],
} as const;

interface NetworkSources {
  /** The value of `backend.proxy` that counts. */
  readonly proxy: { readonly value: unknown; readonly place: string } | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly dotenv: Dotenv;
  /** The certificates of `backend.ca_file`. */
  readonly ca: string | undefined;
}

/**
 * How connections leave this machine: `backend.proxy`, else the usual variables, in the environment or in `.env`. An
 * unusable one is reported by `warn` and counts as not set; its value is not shown.
 */
export function networkOf(
  { proxy, env, dotenv, ca }: NetworkSources,
  warn: (warning: string) => void,
): Network {
  const found = (names: readonly string[]) => firstOf(names, env, dotenv);
  const noProxy = found(VARIABLES.noProxy)?.value ?? '';
  if (typeof proxy?.value === 'string') {
    const url = proxy.value === NO_PROXY ? undefined : parseProxyUrl(proxy.value);
    const place = `backend.proxy (${proxy.place})`;
    const named = url === undefined ? undefined : { url, place, isOfProcess: false };
    return { https: named, http: named, noProxy, ca };
  }
  const usable = (names: readonly string[]): NamedProxy | undefined => {
    const given = found(names);
    if (given === undefined) return undefined;
    const { value, place, isOfProcess } = given;
    const url = parseProxyUrl(value);
    if (url !== undefined) return { url, place, isOfProcess };
    warn(`${place} is ignored: expected the URL of a proxy such as http://proxy.example.com:3128.`);
    return undefined;
  };
  return { https: usable(VARIABLES.https), http: usable(VARIABLES.http), noProxy, ca };
}

/** What must never be shown of it: the passwords, as they are written and as they are meant. */
export function networkSecrets({ https, http }: Network): string[] {
  return [https, http].flatMap((proxy) => {
    const password = proxy === undefined ? '' : new URL(proxy.url).password;
    return password === '' ? [] : [...new Set([password, meant(password)])];
  });
}

function meant(password: string): string {
  try {
    return decodeURIComponent(password);
  } catch {
    // A percent sign that encodes nothing is itself.
    return password;
  }
}

function firstOf(
  names: readonly string[],
  env: NodeJS.ProcessEnv,
  dotenv: Dotenv,
): { value: string; place: string; isOfProcess: boolean } | undefined {
  for (const name of names) {
    const value = variable(env, name);
    if (value !== undefined) return { value, place: `${name} (environment)`, isOfProcess: true };
  }
  for (const name of names) {
    const entry = dotenv.entries.get(name);
    const value = entry?.value.trim() ?? '';
    if (entry !== undefined && value !== '')
      return { value, place: `${name} (.env:${entry.line})`, isOfProcess: false };
  }
  return undefined;
}
