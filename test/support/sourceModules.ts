import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCE = join(ROOT, 'src');

/** An import or a re-export, as it is written. */
interface WrittenImport {
  /** The importing file, relative to `src`. */
  from: string;
  /** The specifier as it is written. */
  to: string;
  /** The file meant, relative to `src`; undefined for a package. */
  file: string | undefined;
  /** What is imported by name; `*` for everything. */
  names: readonly string[];
  /** Asked for when the program runs: `import('…')`. */
  isDynamic: boolean;
  /** `import type`: nothing of it is there when the program runs. */
  isType: boolean;
}

interface Declared {
  file: string;
  kind: string;
  name: string;
}

const STATIC = /^\s*(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s*'([^']+)'|^\s*import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;
const EXPORT =
  /^export\s+(?:abstract\s+)?(?:async\s+)?(const|let|function|class|interface|type|enum)\s+([\w$]+)/gm;

/** The files below a folder whose names match, relative to it. */
function filesBelow(root: string, name: RegExp, directory = root): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(root, name, path);
    return name.test(entry.name) ? [relative(root, path)] : [];
  });
}

/** Every file of `src`, relative to it. */
export const sourceFiles: readonly string[] = filesBelow(SOURCE, /\.tsx?$/);

const texts = new Map(sourceFiles.map((file) => [file, readFileSync(join(SOURCE, file), 'utf8')]));

/** The text of a file of `src`. */
export const codeOf = (file: string): string => texts.get(file) ?? '';

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

/** The file of `src` that a relative specifier means, from a file relative to `src`. */
function fileMeant(from: string, to: string): string | undefined {
  if (!to.startsWith('.')) return undefined;
  const path = normalize(join(dirname(from), to)).replace(/^(\.\.\/)+(src|dist)\//, '');
  return [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx'), path].find((file) => texts.has(file));
}

function importsIn(from: string, text: string): WrittenImport[] {
  const code = withoutComments(text);
  const written = [...code.matchAll(STATIC)].map(([, type, clause = '', named, bare]) => {
    const to = named ?? bare ?? '';
    return {
      from,
      to,
      file: fileMeant(from, to),
      names: namesIn(clause),
      isDynamic: false,
      isType: type !== undefined,
    };
  });
  const asked = [...code.matchAll(DYNAMIC)].map(([, to = '']) => {
    return { from, to, file: fileMeant(from, to), names: wordsIn(code), isDynamic: true, isType: false };
  });
  return [...written, ...asked];
}

function namesIn(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)?.[1] ?? '';
  const names = braces.split(',').map((name) =>
    name
      .trim()
      .replace(/^type\s+/, '')
      .replace(/\s+as\s+.*$/, ''),
  );
  return [...names.filter((name) => name !== ''), ...(clause.includes('*') ? ['*'] : [])];
}

const wordsIn = (code: string): readonly string[] => code.match(/[\w$]+/g) ?? [];

/** Every import of `src`. */
export const imports: readonly WrittenImport[] = sourceFiles.flatMap((file) => importsIn(file, codeOf(file)));

/** Every name that a file of `src` declares and exports. */
export const exported: readonly Declared[] = sourceFiles.flatMap((file) =>
  [...withoutComments(codeOf(file)).matchAll(EXPORT)].map(([, kind = '', name = '']) => ({
    file,
    kind,
    name,
  })),
);

/** The exports that neither `src` nor the tests, benches and scripts import. */
export function unusedExports(): Declared[] {
  const outside = ['test', 'bench', 'scripts'].flatMap((folder) =>
    filesBelow(join(ROOT, folder), /\.(ts|tsx|mjs)$/).map((file) => ({
      from: join('..', folder, file),
      code: readFileSync(join(ROOT, folder, file), 'utf8'),
    })),
  );
  const all = [...imports, ...outside.flatMap(({ from, code }) => importsIn(from, code))];
  const used = new Set(all.flatMap(({ file, names }) => names.map((name) => `${file} ${name}`)));
  // A test that starts a program of its own names the module in a string.
  const named = ({ file, name }: Declared) => {
    const path = `${file.replace(/\.tsx?$/, '')}.js`;
    return outside.some(({ code }) => code.includes(path) && wordsIn(code).includes(name));
  };
  return exported.filter(
    (declared) =>
      !used.has(`${declared.file} ${declared.name}`) && !used.has(`${declared.file} *`) && !named(declared),
  );
}

/** The groups of files that import one another, types included. What is asked for when the program runs is no part of it. */
export function importCycles(): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, file, isDynamic } of imports) {
    if (file !== undefined && !isDynamic) next.set(from, [...(next.get(from) ?? []), file]);
  }
  const reached = new Map(sourceFiles.map((file) => [file, reachableFrom(file, next)]));
  const cyclic = sourceFiles.filter((file) => reached.get(file)?.has(file));
  const group = (file: string) =>
    cyclic.filter((o) => reached.get(file)?.has(o) && reached.get(o)?.has(file));
  return [...new Set(cyclic.map((file) => group(file).join(' ')))].map((files) => files.split(' '));
}

function reachableFrom(start: string, next: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [...(next.get(start) ?? [])];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    open.push(...(next.get(file) ?? []));
  }
  return reached;
}
