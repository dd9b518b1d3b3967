import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** What each room may import; a room may always import itself. `ground` is what every room stands on. */
const ground = ['store', 'config', 'logging', 'system', 'errors'];
const features = [
  'attachments',
  'backend',
  'commands',
  'health',
  'incoming',
  'messages',
  'monitor',
  'outgoing',
  'service',
  'supervisor',
];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  cli: [
    'daemon',
    'operator',
    'diagnostics',
    'kit',
    'backend',
    'monitor',
    'monitor-client',
    'service',
    ...ground,
  ],
  index: ['daemon', 'operator', ...ground],
  daemon: ['operator', ...features, ...ground],
  operator: [...features, ...ground],
  diagnostics: ['operator', 'backend', 'messages', 'supervisor', ...ground],
  ...Object.fromEntries(features.map((room) => [room, ground])),
  kit: ['operator', 'backend', 'commands', 'incoming', 'messages', 'monitor', ...ground],
  'monitor-client': [],
  'monitor-page': ['monitor-client'],
  store: ['logging', 'system', 'errors'],
  config: ['logging', 'system', 'errors'],
  logging: ['system', 'errors'],
  system: ['errors'],
  errors: [],
};

/** Packages that only these places import. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  ws: /^(backend\/WebSocketClient|cli\/inspect\/watchMonitor|kit\/conformance\/ProbeSocket|monitor\/\w+|kit\/transcript\/\w+|kit\/backend\/\w+)\.ts$/,
  jose: /^monitor\/tokens\.ts$/,
  preact: /^monitor-page\//,
  'preact/hooks': /^monitor-page\//,
  commander: /^cli\//,
  'bplist-parser': /^messages\/chatdb\/binaryPlist\.ts$/,
  yaml: /^config\//,
  pino: /^logging\//,
  tar: /^diagnostics\/doctor\//,
  '@inquirer/prompts': /^cli\//,
  'prom-client': /^health\/Metrics\.ts$/,
  'better-sqlite3': /^(store|messages\/chatdb)\//,
};

/** What runs in a browser: there is nothing of Node's. */
const BROWSER = /^(monitor-client|monitor-page)\//;

/** Names that only these rooms use: what would tie a room to the real clock, to chance or to the environment. */
const GROUNDED: readonly [RegExp, RegExp][] = [
  [/\bDate\.now\(/, /^(system|config|kit|monitor-page)\//],
  [/\bset(Timeout|Interval)\(/, /^(system|config|kit|monitor-page|monitor-client\/clock\.ts)/],
  [/\bMath\.random\(/, /^(system|config|kit|monitor-client\/clock\.ts)/],
  [/\bprocess\.env\b/, /^(system|config|kit)\//],
];

interface Import {
  from: string;
  to: string;
}

function sourceFiles(directory = source): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return /\.tsx?$/.test(entry.name) ? [relative(source, path)] : [];
  });
}

const files = sourceFiles();
const code = (file: string) => readFileSync(join(source, file), 'utf8');
const imports: Import[] = files.flatMap((from) =>
  [...code(from).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to]) => ({ from, to: to ?? '' })),
);
const roomOf = (file: string) => file.split('/')[0]?.replace(/\.(ts|js)$/, '') ?? '';

describe('the direction of imports', () => {
  test('there is something to look at', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('no room reaches into one that it must not know', () => {
    const forbidden = imports
      .filter(({ to }) => to.startsWith('.'))
      .map(({ from, to }) => ({ from, to: normalize(join(dirname(from), to)) }))
      .filter(({ from, to }) => roomOf(from) !== roomOf(to))
      .filter(({ from, to }) => !ALLOWED[roomOf(from)]?.includes(roomOf(to)))
      .map(({ from, to }) => `${from} → ${to}`);
    expect(forbidden).toEqual([]);
  });

  test('each outside package has one owner', () => {
    const strays = imports
      .filter(({ from, to }) => OWNERS[to] !== undefined && !OWNERS[to].test(from))
      .map(({ from, to }) => `${from} → ${to}`);
    expect(strays).toEqual([]);
  });

  test('what runs in a browser imports nothing of Node', () => {
    const strays = imports.filter(({ from, to }) => BROWSER.test(from) && !/^(\.|preact(\/|$))/.test(to));
    expect(strays).toEqual([]);
  });

  test('clock, chance and environment are asked for in one place', () => {
    const strays = files.flatMap((file) =>
      GROUNDED.filter(([name, home]) => name.test(code(file)) && !home.test(file)).map(
        ([name]) => `${file}: ${name}`,
      ),
    );
    expect(strays).toEqual([]);
  });

  test('no folder or file has a name that says nothing', () => {
    const empty = /(^|\/)(utils?|helpers?|common|core|shared|misc|lib)(\/|\.ts$)/i;
    expect(files.filter((file) => empty.test(file))).toEqual([]);
  });
});
