import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { edgeProgram } from '../../src/cli/program.js';
import { SETTINGS } from '../../src/config/settings.js';
import { CHECKS } from '../../src/kit/conformance/checks.js';
import { ERROR_CODES } from '../../src/model/errorCodes.js';
import { anchorsIn, headingAnchors, linksIn, page, ROOT, tableUnder } from './page.js';

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...['docs', 'docs/adr'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];
/** Longer, and few read it to the end. */
const LONGEST_README = 150;
const readme = page('README.md');
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'));
const manifest = JSON.parse(page('package.json')) as { scripts: Record<string, string> };

test.each(PAGES)('every link in %s leads somewhere', (name) => {
  const place = (target: string) => (target === '' ? name : join(dirname(name), target));
  for (const target of linksIn(page(name))) expect(existsSync(join(ROOT, place(target))), target).toBe(true);
  for (const { path, anchor } of anchorsIn(page(name))) {
    expect([...headingAnchors(page(place(path)))], `${path}#${anchor}`).toContain(anchor);
  }
});

test('the README is short, and the index of the documentation has every page', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(LONGEST_README);
  const indexed = linksIn(page('docs/README.md'));
  for (const path of PAGES) {
    const [, name] = /^docs\/([^/]+\.md)$/.exec(path) ?? [];
    if (name !== undefined && name !== 'README.md') expect(indexed).toContain(name);
  }
});

test('every log line that docs/log.md explains is one that the agent writes', () => {
  const lines = tableUnder('## Lines', page('docs/log.md')).flatMap(([shown = '']) =>
    [...shown.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line),
  );
  expect(lines.length).toBeGreaterThan(30);
  for (const line of lines) {
    const [longest = ''] = line
      .replace(/^\[ERROR\] /, '')
      .split('…')
      .toSorted((a, b) => b.length - a.length);
    const part = longest.trim().replace(/ via (HTTP|WebSocket):?$/, ' via');
    if (line === 'bubbles=' || line === 'cause=') continue;
    expect(
      sources.some((source) => source.includes(part.replace(/[=:]$/, ''))),
      line,
    ).toBe(true);
  }
});

test('every global installation that the pages show lets better-sqlite3 run its script, which npm 12 blocks by default', () => {
  const pages = PAGES.filter((name) => name !== 'CHANGELOG.md');
  const shown = pages.flatMap((name) => page(name).match(/npm install (?:--global|-g).*/g) ?? []);
  expect(shown.length).toBeGreaterThan(2);
  for (const line of shown) expect(line).toContain('--allow-scripts=better-sqlite3');
});

test('every script that it names exists', () => {
  const scripts = [...readme.matchAll(/npm run ([a-z]+)/g)].map(([, name = '']) => name);
  expect(scripts.length).toBeGreaterThan(2);
  for (const name of scripts) expect(Object.keys(manifest.scripts)).toContain(name);
});

test.each(['README.md', 'docs/operating.md', 'docs/troubleshooting.md', 'docs/first-mac.md'])(
  'every verb of the command that %s names exists',
  (name) => {
    const known = edgeProgram().commands.map((verb) => verb.name());
    const verbs = [...page(name).matchAll(/(?:`|^|\$ )edge-agent ([a-z]+(?:-[a-z]+)*)[`\s]/gm)];
    const shown = new Set(verbs.map(([, verb = '']) => verb).filter((verb) => verb !== 'degraded'));
    expect(shown.size).toBeGreaterThan(4);
    for (const verb of shown) expect(known).toContain(verb);
  },
);

test('every code, every setting and every check that the pages name exists', () => {
  const sections = new Set(SETTINGS.map(({ section }) => section));
  const known = new Set([
    ...SETTINGS.map(({ key }) => key),
    ...Object.keys(ERROR_CODES),
    ...CHECKS.map(({ id }) => id),
  ]);
  // The verbs of the monitor look like settings.
  const named = PAGES.filter((name) => name !== 'docs/monitor.md')
    .flatMap((name) => [...page(name).matchAll(/`([a-z]+\.[a-z_]+)(?:: [^`]+)?`/g)])
    .map(([, key = '']) => key)
    .filter((key) => sections.has(key.split('.')[0] ?? ''));
  expect(named.length).toBeGreaterThan(30);
  for (const key of named) expect([...known]).toContain(key);
});

test('every folder of the source has its line', () => {
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const listed = tableUnder('## Folders', page('docs/architecture.md')).map(([folder]) => folder);
  for (const { name } of folders) expect(listed.join(' ')).toContain(`\`src/${name}/\``);
  for (const [, path = ''] of listed.join(' ').matchAll(/`([^`]+)`/g)) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
  }
});

test('every page and heading that a comment names exists, and nothing outside of the repository is named', () => {
  const texts = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') || path.endsWith('.tsx'))
      .map((path) => page(join(folder, path))),
  );
  const named = texts.flatMap((text) => [
    ...text.matchAll(/\b(docs\/[a-z-]+\.md)(?:#([a-z0-9.-]+[a-z0-9]))?/g),
  ]);
  expect(named.length).toBeGreaterThan(20);
  for (const [, path = '', anchor] of named) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
    if (anchor !== undefined) expect([...headingAnchors(page(path))], `${path}#${anchor}`).toContain(anchor);
  }
  const outside = new RegExp(['macos', 'daemon'].map((word) => `${word}-facts`).join('|'));
  expect(texts.filter((text) => outside.test(text))).toEqual([]);
});

test.each([
  ['A command type', 9],
  ['A config key', 5],
  ['A CLI verb', 5],
  ['An event', 5],
  ['A status number', 7],
])(
  'CONTRIBUTING lists the files that %s needs: at most %i, and each that is no placeholder exists',
  (heading, most) => {
    const [, section = ''] = page('CONTRIBUTING.md').split(`\n### ${heading}\n`);
    const [list = ''] = section.split(/\n#+ /);
    const files = [...list.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, path = '']) => path);
    expect(files.length).toBeGreaterThan(2);
    expect(files.length).toBeLessThanOrEqual(most);
    for (const path of files.filter((each) => !each.includes('<'))) {
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
  },
);
