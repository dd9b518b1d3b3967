import { DEFAULT_MIN_VERSION } from 'node:tls';

/**
 * Given with every TLS connection and every HTTPS request of the agent, so that no variable and no option of Node decides it:
 * the certificate is verified (`NODE_TLS_REJECT_UNAUTHORIZED=0` counts only where nothing is given), TLS is 1.2 at least
 * (`--tls-min-v1.0`), and HTTP is read strictly (`--insecure-http-parser`). Source: Node's documentation of `tls.connect` and
 * `http.request`.
 */
export const VERIFIED_TLS = {
  rejectUnauthorized: true,
  minVersion: DEFAULT_MIN_VERSION === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2',
  insecureHTTPParser: false,
} as const;

/** The variable that disables Node's verification of certificates. */
export const UNVERIFIED = 'NODE_TLS_REJECT_UNAUTHORIZED';
/** Options of Node that weaken what is spoken. A larger minimum than ours weakens nothing. */
const WEAKENING = /^--(?:tls-min-v1\.[01]|tls-max-v1\.[01]|insecure-http-parser|security-revert(?:=.*)?)$/;

/**
 * What asks Node for connections that are not verified or weaker, and is overridden by `VERIFIED_TLS`: each by its name and where it
 * was found; without its value. `dotenv` has the variables of `.env` with their lines, `execArgv` is that of the process.
 */
export function weakenedTls(
  env: NodeJS.ProcessEnv,
  dotenv: ReadonlyMap<string, { readonly value: string; readonly line: number }>,
  execArgv: readonly string[],
): string[] {
  const inDotenv = ['NODE_OPTIONS', UNVERIFIED].flatMap((name) => {
    const entry = dotenv.get(name);
    return entry === undefined ? [] : weakening(name, entry.value, `.env:${entry.line}`);
  });
  return [
    ...weakening(UNVERIFIED, env[UNVERIFIED], 'environment'),
    ...inDotenv,
    ...weakening('NODE_OPTIONS', env.NODE_OPTIONS, 'environment'),
    ...execArgv.filter((option) => WEAKENING.test(option)).map((option) => `${option} (command line)`),
  ];
}

function weakening(name: string, value: string | undefined, place: string): string[] {
  if (value === undefined) return [];
  if (name === UNVERIFIED) return value.trim() === '0' ? [`${name} (${place})`] : [];
  const options = value.split(/\s+/).map((option) => option.replace(/^"|"$/g, '').replaceAll('_', '-'));
  return options.filter((option) => WEAKENING.test(option)).map((option) => `${option} (${name}, ${place})`);
}
