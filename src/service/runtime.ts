import {
  existsSync,
  lstatSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { describeError, EdgeError } from '../errors.js';
import { isOlder } from '../system/nodeProgram.js';
import type { ProgramEnd } from '../system/runProgram.js';
import { AD_HOC, buildApp, signApp, whyInvalid } from './app.js';
import { requireCopyable, warningsOfLink, warnOfRosetta, whyNotHere } from './judgeNode.js';
import { copyApp, runtimeIn } from './runtimePlace.js';
import type { Service } from './Service.js';
import { APP, EXECUTABLE, type ServicePlaces } from './servicePlaces.js';
import { currentVersion, versionDirectory } from './versions.js';

export interface RuntimeWishes {
  /** `private`: a copy of node that nothing else uses, in an app. `current`: the node that installs, where it is. */
  readonly runtime: 'private' | 'current';
  /** Whether to create a new copy of the node that runs the installation. */
  readonly renew?: boolean;
  /** The certificate that the copy is signed with; undefined: as before, or ad hoc. */
  readonly identity?: string | undefined;
}

/** In the directory of a version: what its app was signed with. */
const SIGNED_BY = 'signed-by';

/**
 * Puts into the directory of a version what it is to run with, and makes sure that the version runs with that. The copy
 * of node that the agent has is kept as long as it can, so that macOS asks for permissions once: its app is copied as it
 * is. Returns what was done, in words. Throws EdgeError `install_failed`.
 */
export async function stageRuntime(
  service: Service,
  directory: string,
  { runtime, renew = false, identity }: RuntimeWishes,
): Promise<string> {
  const { places, node } = service;
  requireOwnVolume(places);
  if (runtime === 'current') {
    requireOutside(places, node);
    const original = realpathSync(node);
    for (const warning of warningsOfLink(service, original)) service.print(warning);
    warnOfRosetta(service, original);
    symlinkSync(original, join(directory, 'runtime'));
    await tryVersion(service, directory);
    return `Using node where it is: ${original}`;
  }
  const before = signedBefore(places);
  const signer = identity ?? before ?? AD_HOC;
  const app = join(directory, APP);
  const refusal = renew ? 'a new copy was requested' : await whyNotKept(service, directory);
  if (refusal === undefined) {
    if (signer !== (before ?? AD_HOC)) await signApp(service, app, signer);
    writeFileSync(join(directory, SIGNED_BY), signer, { mode: 0o600 });
    warnOfRosetta(service, places.executable);
    return `Keeping the copy of node that the agent has: ${places.app}`;
  }
  rmSync(app, { recursive: true, force: true });
  const original = realpathSync(node);
  await requireCopyable(service, original);
  warnOfRosetta(service, original);
  await buildApp(service, app, original);
  await signApp(service, app, signer);
  writeFileSync(join(directory, SIGNED_BY), signer, { mode: 0o600 });
  await tryVersion(service, directory);
  const why = existsSync(places.app) ? ` (${refusal})` : '';
  return `Copied node ${process.version}, for the agent alone${why}: ${places.app}`;
}

/** Whether macOS takes the app of a version for that of the current one: the same certificate vouches for both. */
export function isSameSigner(places: ServicePlaces, version: string): boolean {
  const before = signedBefore(places);
  return before !== undefined && before !== AD_HOC && signerOf(places, version) === before;
}

/** What the app of the current version was signed with; undefined if there is none. */
function signedBefore(places: ServicePlaces): string | undefined {
  const current = currentVersion(places);
  return current === undefined ? undefined : signerOf(places, current);
}

function signerOf(places: ServicePlaces, version: string): string | undefined {
  const path = join(versionDirectory(places, version), SIGNED_BY);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

/** Copies the app that is installed, and tries the version with it; why it cannot be kept, else undefined. */
async function whyNotKept(service: Service, directory: string): Promise<string | undefined> {
  const { places, run } = service;
  const [app, executable] = [join(directory, APP), join(directory, APP, EXECUTABLE)];
  if (!lstatSync(places.executable, { throwIfNoEntry: false })?.isFile()) return 'there is none yet';
  const elsewhere = await whyNotHere(service, places.executable);
  if (elsewhere !== undefined) return elsewhere.why;
  const invalid = await whyInvalid(service, places.app);
  if (invalid !== undefined) return `the existing one was changed: ${invalid}`;
  try {
    copyApp(places.app, app);
    const end = await run(executable, ['--version']);
    const needed = oldestNode(service.program);
    const version = end.kind === 'ended' ? end.stdout.trim().replace(/^v/, '') : '';
    if (needed !== undefined && /^\d/.test(version) && isOlder(version, needed))
      return `this version needs Node ${needed}, the existing one is ${version}`;
    await tryVersion(service, directory);
    return undefined;
  } catch (error) {
    return `this version does not run with the existing one: ${describeError(error)}`;
  }
}

const manifestSchema = z.object({ engines: z.object({ node: z.string() }).partial().optional() });

/** The oldest Node of `engines` in package.json, like `20.19`; undefined if it has no such range. */
function oldestNode(program: string): string | undefined {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(program, 'package.json'), 'utf8')));
  return /^>=\s*(\d+(?:\.\d+)*)/.exec(manifest.engines?.node ?? '')?.[1];
}

/** Throws EdgeError `install_failed` unless that version starts with its own node and finds its native parts. */
async function tryVersion({ run }: Service, directory: string): Promise<void> {
  const { kind, path } = runtimeIn(directory);
  const program = kind === 'app' ? join(path, EXECUTABLE) : path;
  const store = JSON.stringify(pathToFileURL(join(directory, 'dist', 'store', 'sqlite.js')));
  const opensStore = [
    '-e',
    `import(${store}).then((m) => m.openDatabase(':memory:', { busyTimeoutMs: 0 }).close())`,
  ];
  for (const args of [[join(directory, 'dist', 'cli', 'main.js'), '--version'], opensStore]) {
    const end = await run(program, args);
    if (end.kind === 'ended' && end.code === 0) continue;
    throw new EdgeError(
      'install_failed',
      `The copied program does not start: ${whyNot(end)}. What was installed before is untouched.`,
      'Reinstall the program with the node that is to run it, then: edge-agent install --node',
    );
  }
}

/** Throws EdgeError `install_failed` if a link to that node would lead to the link itself, or to what is swept one day. */
function requireOutside(places: ServicePlaces, node: string): void {
  if (!realpathSync(node).startsWith(join(realpathSync(places.root), sep))) return;
  throw new EdgeError(
    'install_failed',
    'This runs with the copy of node that belongs to the installed agent, which cannot be linked to.',
    'Run it with another node, or leave out --runtime current.',
  );
}

/**
 * Files are put into the app by renames; and a login starts nothing of a volume that is not there yet, nor what writes its
 * errors to another volume than that of macOS (it ends with 78, in silence).
 */
function requireOwnVolume({ app, root, homeDir }: ServicePlaces): void {
  const found = lstatSync(app, { throwIfNoEntry: false });
  const isElsewhere = (path: string) => statSync(path).dev !== statSync(homeDir).dev;
  const why = isElsewhere(root)
    ? `${root} is on another volume than the home directory, so launchd may not start it at login.`
    : found !== undefined && (!found.isDirectory() || isElsewhere(app))
      ? `${app} is ${found.isDirectory() ? 'on another volume' : 'a link, or no folder'}, so that the agent cannot be replaced in one step.`
      : undefined;
  if (why === undefined) return;
  throw new EdgeError(
    'install_failed',
    `${why} What was installed before is untouched.`,
    `Let ${dirname(root)} be a folder of the home directory, without an app that is a link; for data elsewhere there is state.directory. Then: edge-agent install`,
  );
}

function whyNot(end: ProgramEnd): string {
  if (end.kind === 'notStarted') return end.message;
  if (end.kind === 'timedOut') return 'it did not end in time';
  const lines = end.stderr.split('\n').map((line) => line.trim());
  const said = [/^dyld\b/, /^\w*Error\b/, /\S/].map((kind) => lines.find((line) => kind.test(line)));
  return (
    said.find((line) => line !== undefined) ??
    (end.code === null ? 'it was killed' : `it ended with ${end.code}`)
  );
}
