import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError } from '../errors.js';
import type { Clock } from './clock.js';
import type { Outbound } from './Outbound.js';

const NAME = 'edge-agent';
/** npm's default registry (https://docs.npmjs.com/cli/v11/using-npm/config#registry). */
const USUAL_REGISTRY = 'https://registry.npmjs.org/';
const DEADLINE_MS = 10_000;
/** Of the manifest of one version; ours has some kB. */
const LONGEST_BODY = 1024 * 1024;

const VERSION = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(-[0-9A-Za-z.-]{1,40})?$/;

/** A package of that name with this command; otherwise it is another program. */
const manifestSchema = z.object({
  name: z.literal(NAME),
  version: z.string().regex(VERSION),
  bin: z.object({ [NAME]: z.string() }),
});

interface RegistryPorts {
  readonly env: NodeJS.ProcessEnv;
  readonly homeDir: string;
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly signal: AbortSignal;
}

/** `detail` names no part of a URL but its host. */
type NewestVersion =
  | { readonly kind: 'found'; readonly version: string }
  | { readonly kind: 'unknown'; readonly detail: string };

/**
 * Asks the registry that npm is set to for the newest version of this program: one GET without credentials and without anything
 * that names who asks. Follows no redirect; ends within 10 s; never rejects.
 */
export async function newestVersion({
  env,
  homeDir,
  clock,
  outbound,
  signal,
}: RegistryPorts): Promise<NewestVersion> {
  const deadline = new AbortController();
  const timer = clock.after(DEADLINE_MS, () =>
    deadline.abort(new Error(`no answer in ${DEADLINE_MS / 1000} s`)),
  );
  try {
    const url = new URL(`${NAME}/latest`, registryOf(env, homeDir));
    Object.assign(url, { username: '', password: '' });
    const body = await bodyOf(url, outbound, AbortSignal.any([deadline.signal, signal]));
    const manifest = manifestSchema.safeParse(JSON.parse(body));
    if (manifest.success) return { kind: 'found', version: manifest.data.version };
    return { kind: 'unknown', detail: `the package of that name at ${url.host} is not this program` };
  } catch (error) {
    return { kind: 'unknown', detail: describeError(error) };
  } finally {
    timer.cancel();
  }
}

/** Whether a version comes after another; of what is no version, nothing is said. A pre-release comes before its release. */
export function isNewer(version: string, than: string): boolean {
  const [one, other] = [VERSION.exec(version), VERSION.exec(than)];
  if (one === null || other === null) return false;
  for (const part of [1, 2, 3]) {
    const difference = Number(one[part]) - Number(other[part]);
    if (difference !== 0) return difference > 0;
  }
  return one[4] === undefined && other[4] !== undefined;
}

/** As npm would find it: the environment, then `.npmrc` of this user. Throws TypeError for what is no URL. */
function registryOf(env: NodeJS.ProcessEnv, homeDir: string): string {
  const named = setting(env, 'npm_config_registry');
  const rc = setting(env, 'npm_config_userconfig') ?? join(homeDir, '.npmrc');
  const registry = named ?? inFile(rc, env) ?? USUAL_REGISTRY;
  return registry.endsWith('/') ? registry : `${registry}/`;
}

/** npm takes its variables in either case. */
function setting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const found = Object.entries(env).find(([key]) => key.toLowerCase() === name)?.[1];
  return found === '' ? undefined : found;
}

/** The last one counts; `${NAME}` is replaced by a variable. */
function inFile(path: string, env: NodeJS.ProcessEnv): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Most have none.
    return undefined;
  }
  const value = [...text.matchAll(/^[ \t]*registry[ \t]*=[ \t]*["']?([^\s"']+)["']?[ \t]*\r?$/gm)].at(
    -1,
  )?.[1];
  return value?.replaceAll(/\$\{([^}]+)\}/g, (whole, name: string) => env[name] ?? whole);
}

function bodyOf(url: URL, outbound: Outbound, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ...outbound.once(url), signal, headers: { Accept: 'application/json' } };
    const request = (url.protocol === 'https:' ? https : http).get(url, options, (response) => {
      let body = '';
      const fail = (why: string) => {
        request.destroy();
        reject(new Error(`${url.host}: ${why}`));
      };
      if (response.statusCode !== 200) return fail(`HTTP ${response.statusCode}`);
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
        if (body.length > LONGEST_BODY) fail('the answer is too long');
      });
      response.on('error', reject);
      response.on('end', () => resolve(body));
    });
    request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
  });
}
