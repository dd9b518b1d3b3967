import { describe, expect, test } from 'vitest';
import {
  codeOf,
  exported,
  importCycles,
  imports,
  sourceFiles,
  unusedExports,
} from './support/sourceModules.js';

/** What each folder may import; a folder may always import itself. `ground` is what every folder may import. */
const ground = ['store', 'config', 'logging', 'system', 'errors', 'model'];
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
    'gateway',
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
  gateway: ground,
  kit: ['gateway', 'operator', 'backend', 'commands', 'incoming', 'messages', 'monitor', ...ground],
  'monitor-client': ['model'],
  'monitor-page': ['monitor-client', 'model'],
  'gateway-page': ['monitor-page', 'model'],
  store: ['logging', 'system', 'errors', 'model'],
  config: ['logging', 'system', 'errors', 'model'],
  logging: ['system', 'errors', 'model'],
  system: ['errors', 'model'],
  errors: ['model'],
  model: [],
};

/** What the rooms within the gateway may import of one another; those that are not named here may import any. */
const ALLOWED_IN_GATEWAY: Readonly<Record<string, readonly string[]>> = {
  agents: [],
  storage: [],
  ledger: ['storage'],
};

/** Packages that only these places import. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  ws: /^(backend\/WebSocketClient|cli\/inspect\/watchMonitor|kit\/conformance\/ProbeSocket|monitor\/\w+|kit\/transcript\/\w+|gateway\/agents\/\w+)\.ts$/,
  jose: /^monitor\/tokens\.ts$/,
  preact: /^(monitor|gateway)-page\//,
  'preact/hooks': /^(monitor|gateway)-page\//,
  commander: /^cli\//,
  'bplist-parser': /^messages\/chatdb\/messageSummary\.ts$/,
  yaml: /^config\//,
  'https-proxy-agent': /^system\/Outbound\.ts$/,
  pino: /^logging\//,
  tar: /^diagnostics\/doctor\//,
  '@inquirer/prompts': /^cli\//,
  'string-width': /^cli\/terminal\.ts$/,
  'prom-client': /^(health\/Metrics|gateway\/GatewayMetrics)\.ts$/,
  aws4fetch: /^gateway\/uploads\/S3Uploads\.ts$/,
  pg: /^gateway\/storage\/Postgres\w+\.ts$/,
  'better-sqlite3': /^(store|messages\/(chatdb|contacts))\//,
};

/** What runs in a browser: there is nothing of Node's. */
const BROWSER = /^(monitor-client|monitor-page|gateway-page)\//;

/** Names that only these rooms use: what would tie a room to the real clock, to chance or to the environment. */
const GROUNDED: readonly [RegExp, RegExp][] = [
  [/\bDate\.now\(/, /^(system|config|kit|monitor-page|gateway-page)\//],
  [/\bset(Timeout|Interval)\(/, /^(system|config|kit|monitor-page|gateway-page|monitor-client\/clock\.ts)/],
  [/\bMath\.random\(/, /^(system|config|kit|gateway-page\/LiveEvents\.ts|monitor-client\/clock\.ts)/],
  [/\bprocess\.env\b/, /^(system|config|kit)\//],
];

const roomOf = (file: string) => file.split('/')[0]?.replace(/\.(ts|js)$/, '') ?? '';

/** All files that are loaded with these, at their start. */
function loadedFrom(...files: readonly string[]): ReadonlySet<string> {
  const loaded = new Set(files);
  for (const from of loaded) {
    for (const { file, isDynamic, isType } of imports.filter((one) => one.from === from)) {
      if (file !== undefined && !isDynamic && !isType) loaded.add(file);
    }
  }
  return loaded;
}

describe('the direction of imports', () => {
  test('some files are found at all', () => {
    expect(sourceFiles.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('no folder imports what it must not know', () => {
    const forbidden = imports
      .flatMap(({ from, file }) => (file === undefined ? [] : [{ from, to: file }]))
      .filter(({ from, to }) => roomOf(from) !== roomOf(to))
      .filter(({ from, to }) => !ALLOWED[roomOf(from)]?.includes(roomOf(to)))
      .map(({ from, to }) => `${from} → ${to}`);
    expect(forbidden).toEqual([]);
  });

  test('storage and ledger of the gateway import nothing of what is built on them', () => {
    const within = (file = '') => (file.startsWith('gateway/') ? file.split('/')[1] : undefined);
    const forbidden = imports.filter(({ from, file }) => {
      const [room = '', other = ''] = [within(from), within(file)];
      return other !== '' && room !== other && ALLOWED_IN_GATEWAY[room]?.includes(other) === false;
    });
    expect(forbidden.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test('every relative import names a file of the source', () => {
    const nowhere = imports.filter(({ to, file }) => to.startsWith('.') && file === undefined);
    expect(nowhere.map(({ from, to }) => `${from} → ${to}`).sort()).toEqual([
      'gateway-page/main.tsx → ./style/console.css',
      'monitor-page/main.tsx → ./style/page.css',
    ]);
  });

  test('no file imports itself through others', () => {
    expect(importCycles()).toEqual([]);
  });

  test('a type has a unique name', () => {
    const places = new Map<string, string[]>();
    for (const { name, file, kind } of exported) {
      if (/^(class|interface|type|enum)$/.test(kind)) places.set(name, [...(places.get(name) ?? []), file]);
    }
    const shared = [...places].filter(([, files]) => files.length > 1);
    expect(shared.map(([name, files]) => `${name}: ${files.join(', ')}`)).toEqual([]);
  });

  test('nothing is exported that no file imports', () => {
    expect(unusedExports().map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
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

  test('the model is types and schemas: it imports nothing but zod', () => {
    const strays = imports.filter(
      ({ from, file, to }) => roomOf(from) === 'model' && to !== 'zod' && roomOf(file ?? '') !== 'model',
    );
    expect(strays).toEqual([]);
  });

  test('the kit is for backend authors and tests: of the program only cli/dev imports it', () => {
    const strays = imports.filter(
      ({ from, file }) => roomOf(file ?? '') === 'kit' && !/^(kit|cli\/dev)\//.test(from),
    );
    expect(strays.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test('a browser gets the types of the model, and no schema', () => {
    const loaded = imports.filter(
      ({ from, file, isType }) => BROWSER.test(from) && roomOf(file ?? '') === 'model' && !isType,
    );
    expect(loaded).toEqual([]);
  });

  test('clock, chance and environment are read in one place', () => {
    const strays = sourceFiles.flatMap((file) =>
      GROUNDED.filter(([name, home]) => name.test(codeOf(file)) && !home.test(file)).map(
        ([name]) => `${file}: ${name}`,
      ),
    );
    expect(strays).toEqual([]);
  });

  test('what starts without a gateway loads no driver of a database server, and no client of S3', () => {
    const loaded = loadedFrom('cli/program.ts', 'daemon/EdgeAgent.ts', 'index.ts', 'kit/backend/index.ts');
    expect(loaded.size).toBeGreaterThan(100);
    const ofServers = new Set(['pg', 'aws4fetch']);
    expect(imports.filter(({ from, to }) => ofServers.has(to) && loaded.has(from))).toEqual([]);
  });

  test('what `status` starts with contains no schema, no YAML parser, no SQLite and no commander', () => {
    const loaded = loadedFrom('cli/main.ts', 'cli/quickStatus.ts');
    expect(loaded.size).toBeGreaterThan(25);
    const packages = imports.filter(
      ({ from, isType, isDynamic }) => loaded.has(from) && !isType && !isDynamic,
    );
    const names = packages.flatMap(({ file, to }) =>
      file === undefined && !to.startsWith('node:') ? [to] : [],
    );
    expect([...new Set(names)]).toEqual(['string-width']);
  });

  test('no start loads the tables of Unicode: they are half of what `status` costs', () => {
    const atLoad = /^(?:export )?const [^=\n]+= (?:new Intl\.|new RegExp\([^\n]*RGI_Emoji)/m;
    expect(sourceFiles.filter((file) => atLoad.test(codeOf(file)) && !BROWSER.test(file))).toEqual([]);
  });

  test('no literal is spread into another to save a line', () => {
    const spread = /[{,]\s*\.\.\.\{/;
    expect(sourceFiles.filter((file) => spread.test(codeOf(file)))).toEqual([]);
  });

  test('no folder or file has a meaningless name', () => {
    const empty = /(^|\/)(utils?|helpers?|common|core|shared|misc|lib)(\/|\.ts$)/i;
    expect(sourceFiles.filter((file) => empty.test(file))).toEqual([]);
  });
});
