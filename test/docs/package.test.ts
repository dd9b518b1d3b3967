import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './page.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  exports: Record<string, { types?: string; default?: string } | string>;
};
/** The page is bundled, with what it imports. */
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !/^(monitor|gateway)-page/.test(name),
);
const PAGES = [
  ...['icon-away.svg', 'icon-well.svg', 'icon-wrong.svg', 'index.html', 'monitor.css', 'monitor.js'].map(
    (name) => `dist/monitor-page/${name}`,
  ),
  ...['icon-well.svg', 'index.html', 'console.css', 'console.js'].map((name) => `dist/gateway-page/${name}`),
];
const BELONGS = [
  /^dist\/.+\.d\.ts$/,
  /^dist\/(errors|index|cli\/main|kit\/backend\/index|store\/sqlite)\.js$/,
  /^dist\/(cli\/package\.json|(kit\/messages\/osascript|system\/Bundle)\.cjs)$/,
  /^dist\/(library|monitor-client)\/[\w-]+\.js$/,
  /^dist\/(monitor|gateway)-page\/[\w.-]+$/,
  /^dist\/bundle\/(?!code-)[\w/-]+\.cjs$/,
  /^dist\/LICENCES\.txt$/,
  /^docs\/(adr\/)?[\w-]+\.md$/,
  /^docs\/config\.schema\.json$/,
  /^docs\/api\/(schemas\/)?\w+\.(yaml|json)$/,
  /^examples\/(minimal[\w.-]+|bot)\.(mjs|py)$/,
  /^launchd\/[\w.-]+$/,
  /^man\/[\w.-]+\.1$/,
  /^packaging\/gateway\/[\w.-]+$/,
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|config\.yaml|\.env\.example)$/,
];

/** Needed only by a proxy that negotiates; without it the library says what to install. */
const OPTIONAL = ['kerberos'];

/** What a file of `dist` imports or requires, as it is written there. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const ways = [
    /(?:^|[\n;])\s*(?:import|export)\b[^'"();]*?\bfrom\s*['"]([^'"]+)['"]/g,
    /(?:^|[\n;])\s*import\s*['"]([^'"]+)['"]/g,
    /(?<!\.)\b(?:import|require)\(\s*["']([^"']+)["']\)/g,
  ];
  return ways.flatMap((way) => [...text.matchAll(way)].map(([, name = '']) => name));
}

describe('npm pack', () => {
  let packed: string[] = [];
  beforeAll(() => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [listed] = JSON.parse(output) as { files: { path: string }[] }[];
    packed = (listed?.files ?? []).map(({ path }) => path);
  });

  test('holds what belongs in it and nothing else', () => {
    expect(packed.filter((path) => !BELONGS.some((pattern) => pattern.test(path)))).toEqual([]);
    for (const path of ['README.md', 'LICENSE', 'config.yaml', '.env.example', 'docs/config.schema.json']) {
      expect(packed).toContain(path);
    }
  });

  test('holds the types of each source file except the command’s, and none of a file that no longer exists', () => {
    const types = sources
      .filter((name) => !name.startsWith('cli/'))
      .map((name) => `dist/${name.replace(/\.ts$/, '.d.ts')}`);
    const inDist = packed.filter((path) => /^dist\/(?!zod\/).+\.d\.ts$/.test(path));
    expect(inDist.toSorted(), 'else: npm run build').toEqual(types.toSorted());
    expect(packed.filter((path) => /^dist\/(monitor|gateway)-page\//.test(path)).toSorted()).toEqual(
      PAGES.toSorted(),
    );
  });

  test('needs nothing at run time that is not in it, except Node and better-sqlite3', () => {
    const there = new Set(packed);
    const code = packed.filter((path) => /^dist\/(?!(monitor|gateway)-page).+\.c?js$/.test(path));
    expect(code.length).toBeGreaterThan(15);
    for (const path of code) {
      const missing = importsOf(path).filter((name) => {
        if (isBuiltin(name) || name === 'better-sqlite3' || OPTIONAL.includes(name)) return false;
        return !name.startsWith('.') || !there.has(join(dirname(path), name));
      });
      expect(missing, path).toEqual([]);
    }
    expect(Object.keys(manifest.dependencies)).toEqual(['better-sqlite3']);
  });

  test('has what it exports and starts, and each program that is not bundled is one of those', () => {
    const exported = Object.values(manifest.exports)
      .flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)))
      .filter((path) => !path.includes('*'));
    for (const path of exported) expect(packed).toContain(path.replace('./', ''));
  });

  test('has types for what it exports that do not need zod, which it does not contain', () => {
    const types = packed.filter((path) => /^dist\/(?!zod\/).+\.d\.ts$/.test(path));
    const asking = types.filter((path) => /from ['"]zod['"]/.test(readFileSync(join(ROOT, path), 'utf8')));
    expect(asking).toEqual([]);
    const closure = new Set([
      'dist/index.d.ts',
      'dist/kit/backend/index.d.ts',
      'dist/monitor-client/index.d.ts',
    ]);
    for (const path of closure) {
      expect(packed).toContain(path);
      for (const name of importsOf(path).filter((one) => one.startsWith('.')))
        closure.add(join(dirname(path), name.replace(/\.js$/, '.d.ts')));
    }
    expect([...closure].filter((path) => path.startsWith('dist/zod/')).length).toBeGreaterThan(5);
  });

  test('includes the licences of what is bundled', () => {
    const text = readFileSync(join(ROOT, 'dist/LICENCES.txt'), 'utf8');
    for (const name of ['zod', 'ws', 'pino', 'preact', 'commander'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    expect(packed).toContain('dist/LICENCES.txt');
  });

  test('is built from packages that package.json names', () => {
    const imported = new Set(
      sources.flatMap((name) =>
        [
          ...readFileSync(join(ROOT, 'src', name), 'utf8').matchAll(
            /(?:\bfrom |(?<!\.)\bimport\()'([^'.\n]+)'\)?;?$/gm,
          ),
        ]
          .map(([, specifier = '']) => specifier)
          .filter((specifier) => !isBuiltin(specifier))
          .map((specifier) => /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier),
      ),
    );
    expect(imported.size).toBeGreaterThan(5);
    const named = Object.keys({ ...manifest.devDependencies, ...manifest.dependencies });
    expect(named).toEqual(expect.arrayContaining([...imported]));
  });
});
