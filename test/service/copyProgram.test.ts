import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { copyProgram, neededPackages } from '../../src/service/copyProgram.js';
import { PACKAGE_ROOT } from '../../src/system/packageRoot.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** Writes a package that needs others; returns its directory. */
function pack(
  directory: string,
  name: string,
  dependencies: readonly string[] = [],
  more: object = {},
): string {
  mkdirSync(directory, { recursive: true });
  const needs = Object.fromEntries(dependencies.map((dependency) => [dependency, '*']));
  const manifest = { name, version: directory, main: 'index.js', dependencies: needs, ...more };
  writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(directory, 'index.js'), `module.exports = ${JSON.stringify(directory)};\n`);
  writeFileSync(join(directory, 'index.d.ts'), 'export {};\n');
  return directory;
}

/** What `require` of a package finds from that directory. */
const found = (directory: string, name: string) => createRequire(join(directory, 'index.js'))(name) as string;

test('dependencies are found wherever they are now: nested, hoisted beside the program, linked', () => {
  const base = temporaryDirectory();
  const root = pack(join(base, 'node_modules/program'), 'program', ['a', 'b', 'linked']);
  const a = pack(join(root, 'node_modules/a'), 'a', ['b', 'c']);
  const nestedB = pack(join(a, 'node_modules/b'), 'b', ['c']);
  const b = pack(join(base, 'node_modules/b'), 'b', ['c']);
  const c = pack(join(base, 'node_modules/c'), 'c');
  const linked = pack(join(base, 'elsewhere/linked'), 'linked');
  symlinkSync(linked, join(root, 'node_modules/linked'));
  pack(join(base, 'node_modules/unneeded'), 'unneeded');
  const target = join(base, 'target');
  copyProgram(root, target);
  expect(found(target, 'a')).toBe(a);
  expect(found(target, 'b')).toBe(b);
  expect(found(target, 'linked')).toBe(linked);
  expect(found(join(target, 'node_modules/a'), 'b')).toBe(nestedB);
  expect(found(join(target, 'node_modules/a/node_modules/b'), 'c')).toBe(c);
  expect(existsSync(join(target, 'node_modules/unneeded'))).toBe(false);
});

test('packages that need each other come to an end, and optional ones may be missing', () => {
  const base = temporaryDirectory();
  const root = pack(join(base, 'program'), 'program', ['a'], {});
  pack(join(root, 'node_modules/a'), 'a', ['b'], { optionalDependencies: { 'not-for-this-system': '*' } });
  pack(join(root, 'node_modules/b'), 'b', ['a']);
  expect([...neededPackages(root).keys()].toSorted()).toEqual(['node_modules/a', 'node_modules/b']);
});

test('a missing one is named', () => {
  const root = pack(join(temporaryDirectory(), 'program'), 'program', ['gone']);
  expect(() => neededPackages(root)).toThrow(/gone is missing/);
});

test('of the program itself what is shipped is copied, and of nothing what only compilers read', () => {
  const root = pack(join(temporaryDirectory(), 'program'), 'program', [], { files: ['dist', 'not-built'] });
  mkdirSync(join(root, 'dist'));
  mkdirSync(join(root, 'test'));
  for (const file of ['dist/main.js', 'dist/main.js.map', 'dist/main.d.ts', 'test/a.js', '.env']) {
    writeFileSync(join(root, file), '');
  }
  const target = join(dirname(root), 'target');
  copyProgram(root, target);
  const there = ['package.json', 'dist/main.js', 'dist/main.js.map', 'dist/main.d.ts', 'test/a.js', '.env'];
  expect(there.filter((file) => existsSync(join(target, file)))).toEqual(['package.json', 'dist/main.js']);
});

test('of the packages of this program only those are copied that it runs with', () => {
  const needed = [...neededPackages(PACKAGE_ROOT).keys()].toSorted();
  expect(needed).toEqual(
    ['better-sqlite3', 'bindings', 'file-uri-to-path'].map((name) => join('node_modules', name)),
  );
});
