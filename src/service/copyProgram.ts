import { constants, cpSync, existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

interface Manifest {
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Copies the program to a new directory: the files of `npm pack`, and the packages that it needs at run time, wherever
 * npm has put them, without types and source maps. Development files of a checkout are not copied.
 */
export function copyProgram(root: string, target: string): void {
  const { files = [] } = manifestOf(root);
  for (const file of ['package.json', ...files]) {
    const from = join(root, file);
    if (existsSync(from)) copyTree(from, join(target, file));
  }
  for (const [to, from] of neededPackages(root)) copyTree(from, join(target, to));
}

/**
 * Where each package that is needed at run time is, by where it has to be below the program so that everyone who asks
 * for it finds the very one that is found now (nodejs.org, "Loading from node_modules folders").
 */
export function neededPackages(root: string): ReadonlyMap<string, string> {
  const placed = new Map<string, string>();
  const waiting: { from: string; to: string }[] = [{ from: root, to: '' }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    for (const [name, isRequired] of dependenciesOf(next.from)) {
      const from = findPackage(next.from, name);
      if (from === undefined) {
        if (isRequired) throw new Error(`${name} is missing, which ${next.from} needs`);
        continue;
      }
      if (foundFrom(next.to, name, placed) === from) continue;
      const top = join('node_modules', name);
      const to = placed.has(top) ? join(next.to, 'node_modules', name) : top;
      placed.set(to, from);
      waiting.push({ from, to });
    }
  }
  return placed;
}

/** Downloads the binary of a native package during npm's installation; not needed later. */
const ONLY_TO_INSTALL = 'prebuild-install';

/** By name; true: required. */
function dependenciesOf(root: string): Map<string, boolean> {
  const { dependencies = {}, optionalDependencies = {} } = manifestOf(root);
  return new Map([
    ...Object.keys(dependencies)
      .filter((name) => name !== ONLY_TO_INSTALL)
      .map((name) => [name, true] as const),
    ...Object.keys(optionalDependencies).map((name) => [name, false] as const),
  ]);
}

function findPackage(from: string, name: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (directory === dirname(directory)) return undefined;
  }
}

/** What a package at `to` would find among those that have a place. */
function foundFrom(to: string, name: string, placed: ReadonlyMap<string, string>): string | undefined {
  for (let directory = to; ; directory = dirname(directory)) {
    const found = placed.get(join(directory, 'node_modules', name));
    if (found !== undefined) return found;
    if (directory === '' || directory === '.') return undefined;
  }
}

function manifestOf(root: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
}

/** What only compilers and debuggers read; it is half of all files. */
const NEVER_RUN = /\.(map|[cm]?ts)$/;

/** Where the file system can, the copy shares its blocks with the original until one of them changes. */
function copyTree(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (path) => !NEVER_RUN.test(path) && !relative(from, path).split(sep).includes('node_modules'),
  });
}
