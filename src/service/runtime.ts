import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EdgeError } from '../errors.js';
import type { ProgramEnd } from '../system/runProgram.js';
import type { ServicePlaces } from './servicePlaces.js';
import { currentVersion, versionDirectory } from './versions.js';

/** `private`: a copy of node that nothing else uses. `current`: the node that installs, where it is. */
export type RuntimeChoice = 'private' | 'current';

/** Runs a program to its end, with a deadline. */
export type RunProgram = (path: string, args: readonly string[]) => Promise<ProgramEnd>;

/**
 * Puts node as a version is to run with it (`original` is what is copied or linked) into its directory, and makes sure that it starts. A copy that does not
 * start by itself (Homebrew's node may need libraries that lie beside it) is given up for a link to the original; the
 * result says which it is, and why.
 */
export async function stageRuntime(
  directory: string,
  choice: RuntimeChoice,
  run: RunProgram,
  original: string,
): Promise<{ choice: RuntimeChoice; node: string; refusal: string | null }> {
  const node = realpathSync(original);
  const path = join(directory, 'runtime');
  if (choice === 'private') {
    copyFileSync(node, path, constants.COPYFILE_FICLONE);
    chmodSync(path, 0o755);
    const end = await run(path, ['--version']);
    if (end.kind === 'ended' && end.code === 0 && end.stdout.trim() === process.version)
      return { choice, node, refusal: null };
    rmSync(path);
    symlinkSync(node, path);
    return { choice: 'current', node, refusal: whyNot(end) };
  }
  symlinkSync(node, path);
  return { choice, node, refusal: null };
}

/** Throws EdgeError `install_failed` unless that version starts with its own node and finds its native parts. */
export async function tryVersion(directory: string, run: RunProgram): Promise<void> {
  const runtime = join(directory, 'runtime');
  const store = JSON.stringify(pathToFileURL(join(directory, 'dist', 'store', 'sqlite.js')));
  const opensStore = [
    '-e',
    `import(${store}).then((m) => m.openDatabase(':memory:', { busyTimeoutMs: 0 }).close())`,
  ];
  for (const args of [[join(directory, 'dist', 'cli', 'main.js'), '--version'], opensStore]) {
    const end = await run(runtime, args);
    if (end.kind === 'ended' && end.code === 0) continue;
    throw new EdgeError(
      'install_failed',
      `The copied program does not start: ${whyNot(end)}. What was installed before is untouched.`,
      'Reinstall the program with the node that is to run it (npm ci && npm run build), then: edge-agent install',
    );
  }
}

/** Throws EdgeError `install_failed` if a link to that node would lead to the link itself, or to what is swept one day. */
export function requireOutside(places: ServicePlaces, node: string): void {
  if (!realpathSync(node).startsWith(join(realpathSync(places.root), sep))) return;
  throw new EdgeError(
    'install_failed',
    'This runs with the copy of node that belongs to the installed agent, which cannot be linked to.',
    'Run it with a node of your own, or leave out --runtime current.',
  );
}

/** Whether the permissions of macOS go on to hold: the same bytes, or a link to the same place. */
export function isSameRuntime(one: string, other: string): boolean {
  if (!existsSync(one) || !existsSync(other)) return false;
  const [a, b] = [lstatSync(one), lstatSync(other)];
  if (a.isSymbolicLink() || b.isSymbolicLink()) {
    return a.isSymbolicLink() && b.isSymbolicLink() && readlinkSync(one) === readlinkSync(other);
  }
  return a.size === b.size && digest(one) === digest(other);
}

/**
 * Lays the node of a version beside the runtime that is in use, under a name that says whose it is. From the moment
 * that the version is the current one `finishRuntime` may put it in its place, whoever comes first.
 */
export function layRuntime(places: ServicePlaces, version: string): void {
  const from = join(versionDirectory(places, version), 'runtime');
  const beside = besideName(places, version);
  rmSync(beside, { force: true });
  const unfinished = `${places.runtime}.unfinished`;
  rmSync(unfinished, { force: true });
  if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), unfinished);
  else copyFileSync(from, unfinished, constants.COPYFILE_FICLONE);
  renameSync(unfinished, beside);
}

/** Ends a change of runtime that was interrupted once the current version had been switched. True if it did. */
export function finishRuntime(places: ServicePlaces): boolean {
  const version = currentVersion(places);
  if (
    version === undefined ||
    lstatSync(besideName(places, version), { throwIfNoEntry: false }) === undefined
  )
    return false;
  renameSync(besideName(places, version), places.runtime);
  return true;
}

/** Removes what changes of runtime that came to nothing have left. */
export async function sweepRuntimes(places: ServicePlaces): Promise<void> {
  const directory = dirname(places.runtime);
  const left = (await readdir(directory)).filter((name) => name.startsWith(`${basename(places.runtime)}.`));
  for (const name of left) rmSync(join(directory, name), { force: true });
}

function besideName(places: ServicePlaces, version: string): string {
  return `${places.runtime}.${version}`;
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
