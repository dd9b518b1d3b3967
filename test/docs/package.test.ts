import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ROOT } from './page.js';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  bin: unknown;
  man: unknown;
};
/** The page is bundled, with what it imports. */
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.startsWith('monitor-page'),
);
const PAGE = [
  'icon-away.svg',
  'icon-well.svg',
  'icon-wrong.svg',
  'index.html',
  'monitor.css',
  'monitor.js',
].map((name) => `dist/monitor-page/${name}`);
const BELONGS = [
  /^dist\/.+\.(js|d\.ts)$/,
  /^dist\/monitor-page\/[\w.-]+$/,
  /^dist\/bundle\/(?!code-)[\w/-]+\.cjs$/,
  /^docs\/(adr\/)?[\w-]+\.md$/,
  /^docs\/config\.schema\.json$/,
  /^docs\/api\/(schemas\/)?\w+\.(yaml|json)$/,
  /^examples\/minimal[\w.-]+\.(mjs|py)$/,
  /^launchd\/[\w.-]+$/,
  /^man\/[\w.-]+\.1$/,
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|config\.yaml|\.env\.example)$/,
];

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

  test('holds what belongs into it and nothing else', () => {
    expect(packed.filter((path) => !BELONGS.some((pattern) => pattern.test(path)))).toEqual([]);
    for (const path of ['README.md', 'LICENSE', 'config.yaml', '.env.example', 'docs/config.schema.json']) {
      expect(packed).toContain(path);
    }
  });

  test('holds each source file compiled, and nothing that has none any more', () => {
    const compiled = sources.flatMap((name) => [
      `dist/${name.replace(/\.ts$/, '.js')}`,
      `dist/${name.replace(/\.ts$/, '.d.ts')}`,
    ]);
    const inDist = packed.filter((path) => /^dist\/(?!bundle\/)/.test(path));
    expect(inDist.toSorted(), 'else: npm run build').toEqual([...compiled, ...PAGE].toSorted());
  });

  test('has its man page found after a global installation, which npm does for a list alone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'edge-man-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    cpSync(join(ROOT, 'man'), join(directory, 'man'), { recursive: true });
    mkdirSync(join(directory, 'dist/cli'), { recursive: true });
    writeFileSync(join(directory, 'dist/cli/main.js'), '#!/usr/bin/env node\n');
    const { bin, man } = manifest;
    const alone = { name: 'man-alone', version: '1.0.0', bin, man };
    writeFileSync(join(directory, 'package.json'), JSON.stringify(alone));
    const npm = (...args: string[]) => execFileSync('npm', args, { cwd: directory, stdio: 'pipe' });
    npm('pack');
    npm('install', '--global', '--offline', '--prefix', join(directory, 'prefix'), './man-alone-1.0.0.tgz');
    expect(readdirSync(join(directory, 'prefix/share/man/man1'))).toEqual(['edge-agent.1']);
  });

  test('brings every package that the sources import', () => {
    const imported = new Set(
      sources.flatMap((name) =>
        [
          ...readFileSync(join(ROOT, 'src', name), 'utf8').matchAll(
            /(?:\bfrom |\bimport\()'([^'.\n]+)'\)?;?$/gm,
          ),
        ]
          .map(([, specifier = '']) => specifier)
          .filter((specifier) => !isBuiltin(specifier))
          .map((specifier) => /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier),
      ),
    );
    expect(imported.size).toBeGreaterThan(5);
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining([...imported]));
  });
});
