import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { APP, type ServicePlaces } from './servicePlaces.js';
import { currentVersion, versionDirectory } from './versions.js';

/**
 * How a version runs: within its own app, or by a file: a link to a node elsewhere, or the bare copy of node that the
 * agent had before it was an app.
 */
type Runtime = { readonly kind: 'app' | 'file'; readonly path: string };

/** What a version in that directory runs with. */
export function runtimeIn(directory: string): Runtime {
  const app = join(directory, APP);
  return existsSync(app) ? { kind: 'app', path: app } : { kind: 'file', path: join(directory, 'runtime') };
}

/** Whether a version runs with the existing runtime, so that the permissions of macOS stay valid. */
export function isInPlace(places: ServicePlaces, version: string): boolean {
  const { kind, path } = runtimeIn(versionDirectory(places, version));
  if (kind === 'file') return isSameFile(path, places.runtime);
  return leadsToApp(places) && isSameApp(path, places.app);
}

/** Whether the one app has the same files as the other, byte by byte. */
function isSameApp(one: string, other: string): boolean {
  const [files, others] = [filesOf(one), filesOf(other)];
  return (
    files.join('\n') === others.join('\n') &&
    files.every((file) => isSameFile(join(one, file), join(other, file)))
  );
}

/**
 * Puts the runtime of a version next to the one in use, under a name that identifies the version. Once the version is
 * the current one, the first caller of `finishRuntime` moves it into place.
 */
export function layRuntime(places: ServicePlaces, version: string): void {
  const { kind, path } = runtimeIn(versionDirectory(places, version));
  const place = kind === 'app' ? places.app : places.runtime;
  const [beside, unfinished] = [besideName(place, version), `${place}.unfinished`];
  for (const left of [beside, unfinished]) rmSync(left, { recursive: true, force: true });
  if (kind === 'app') copyApp(path, unfinished);
  else if (lstatSync(path).isSymbolicLink()) symlinkSync(readlinkSync(path), unfinished);
  else copyFileSync(path, unfinished, constants.COPYFILE_FICLONE);
  renameSync(unfinished, beside);
}

/**
 * Ends a change of runtime that was interrupted once the current version had been switched. True if it did. Killed
 * anywhere, it is ended by the next one: each file moves by one rename, there is always one at each path that launchd
 * starts, and what says that something is left to do goes last.
 */
export function finishRuntime(places: ServicePlaces): boolean {
  const version = currentVersion(places);
  if (version === undefined) return false;
  const { kind, path } = runtimeIn(versionDirectory(places, version));
  const beside = besideName(kind === 'app' ? places.app : places.runtime, version);
  if (lstatSync(beside, { throwIfNoEntry: false }) === undefined) return false;
  if (kind === 'file') {
    renameSync(beside, places.runtime);
    return true;
  }
  // One rename cannot take the place of a directory, and without the old one nothing would start.
  for (const file of filesOf(beside)) {
    mkdirSync(dirname(join(places.app, file)), { recursive: true });
    renameSync(join(beside, file), join(places.app, file));
  }
  // The signature covers the app as a whole: a file that is too many makes it invalid.
  const wanted = new Set(filesOf(path));
  for (const file of filesOf(places.app)) if (!wanted.has(file)) rmSync(join(places.app, file));
  if (!leadsToApp(places)) linkToApp(places);
  rmSync(beside, { recursive: true });
  return true;
}

/** Removes what changes of runtime that came to nothing have left. */
export function sweepRuntimes(places: ServicePlaces): void {
  const begins = [places.runtime, places.app].map((path) => `${basename(path)}.`);
  const left = readdirSync(places.root).filter((name) => begins.some((begin) => name.startsWith(begin)));
  for (const name of left) rmSync(join(places.root, name), { recursive: true, force: true });
}

/** Where the file system can, the copy shares its blocks with the original until one of them changes. */
export function copyApp(from: string, to: string): void {
  cpSync(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

/** A LaunchAgent from before there was an app starts it by this link. */
function linkToApp(places: ServicePlaces): void {
  const unfinished = `${places.runtime}.unfinished`;
  rmSync(unfinished, { force: true });
  symlinkSync(pathToApp(places), unfinished);
  renameSync(unfinished, places.runtime);
}

function leadsToApp(places: ServicePlaces): boolean {
  const found = lstatSync(places.runtime, { throwIfNoEntry: false });
  return found?.isSymbolicLink() === true && readlinkSync(places.runtime) === pathToApp(places);
}

function pathToApp(places: ServicePlaces): string {
  return relative(dirname(places.runtime), places.executable);
}

function besideName(place: string, version: string): string {
  return `${place}.${version}`;
}

/** By their place in it, in one order. */
function filesOf(app: string): string[] {
  if (!existsSync(app)) return [];
  return readdirSync(app, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(app, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** The same bytes, or a link to the same place. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => lstatSync(path, { throwIfNoEntry: false }));
  if (a === undefined || b === undefined) return false;
  if (a.isSymbolicLink() || b.isSymbolicLink()) {
    return a.isSymbolicLink() && b.isSymbolicLink() && readlinkSync(one) === readlinkSync(other);
  }
  return a.isFile() && b.isFile() && a.size === b.size && digest(one) === digest(other);
}

const PIECE = 1024 * 1024;

function digest(path: string): string {
  const file = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    const piece = Buffer.alloc(PIECE);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
      hash.update(piece.subarray(0, read));
    }
    return hash.digest('hex');
  } finally {
    closeSync(file);
  }
}
