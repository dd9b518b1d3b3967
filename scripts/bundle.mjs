// Bundles the programs that are started as processes: loading hundreds of modules is most of what a short-lived one does.
// Of what tsc built they need nothing but Bundle. That runs the bundled modules with the code that V8 keeps of them
// (scripts/keepCode.mjs), which Node 20 can do for CommonJS alone.
// Bundles also what other programs import, so that the package needs no other one at run time but better-sqlite3.

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { writeLicences } from './licences.mjs';
import { bringTypesOfZod } from './typesOfZod.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

// What is started is CommonJS as well: Node's loader of ES modules takes longer than all that `status` does. dist/cli has nothing but
// that; what tsc has built of the command goes beside it.
const MODULES = 'cli-modules';
renameSync(join(dist, 'cli'), join(dist, MODULES));

/** Each in one file, with all that it may need, for opening dozens takes time; they go over to each other. By name in the bundle. */
const WHOLE = {
  'cli/main': `${MODULES}/main`,
  'cli/quickStatus': `${MODULES}/quickStatus`,
  // Most of all that `status` may need, and seldom does.
  'cli/yamlFile': 'config/yamlFile',
};

/** In files that they share. */
const SPLIT = {
  'cli/commandLine': `${MODULES}/commandLine`,
  'kit/messages/osascript': 'kit/messages/osascript',
};

/** The files that are started, of `dist`, and what of the bundle each runs. */
const STARTED = { 'cli/main.js': 'cli/main', 'kit/messages/osascript.cjs': 'kit/messages/osascript' };

/** Of `exports` in package.json, those that import packages; edge-agent/monitor-client imports none. */
const EXPORTS = ['index', 'kit/backend/index'];

/** zod's messages in fifty languages, which are not used, are half of it. */
const withoutLocales = {
  name: 'without-locales',
  setup({ onLoad }) {
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
  },
};

/** Of the parser's ES modules the bundle takes what is used; of its CommonJS, which Node would be given, all. */
const partsOfYaml = {
  name: 'parts-of-yaml',
  setup({ onResolve }) {
    onResolve({ filter: /^yaml$/ }, () => ({ path: join(root, 'node_modules/yaml/browser/dist/index.js') }));
  },
};

/** What another program goes over to is no part of it. */
const withoutEachOther = {
  name: 'without-each-other',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(commandLine|quickStatus|yamlFile)\.js$/ }, ({ path }) => ({
      path: path.replace(/\.js$/, '.cjs'),
      external: true,
    }));
  },
};

const entries = (programs) =>
  Object.entries(programs).map(([out, name]) => ({ in: `${dist}/${name}.js`, out }));

const shared = {
  absWorkingDir: root,
  outbase: dist,
  bundle: true,
  splitting: true,
  metafile: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Its native part is found relative to its own path.
  external: ['better-sqlite3'],
  plugins: [withoutLocales, partsOfYaml],
  logLevel: 'warning',
};

const program = {
  ...shared,
  outdir: `${dist}/bundle`,
  outExtension: { '.js': '.cjs' },
  write: false,
  define: { 'import.meta.url': 'bundleUrl', 'import.meta.hasCode': 'hasCode' },
};

const split = await build({
  ...program,
  entryPoints: entries(SPLIT),
  chunkNames: '[name]-[hash]',
});

const whole = await build({
  ...program,
  entryPoints: entries(WHOLE),
  splitting: false,
  plugins: [...shared.plugins, withoutEachOther],
});

const library = await build({
  ...shared,
  entryPoints: EXPORTS.map((name) => `${dist}/${name}.js`),
  outdir: dist,
  allowOverwrite: true,
  chunkNames: 'library/[name]-[hash]',
  define: { 'import.meta.hasCode': 'undefined' },
  // Packages that are still CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
  },
});

bringTypesOfZod(join(root, 'node_modules/zod'), dist);
const inputs = [split, whole, library].flatMap(({ metafile }) => Object.keys(metafile.inputs));
// The page of the monitor has it (scripts/pages.mjs).
writeLicences(root, [...inputs, 'node_modules/preact/package.json'], join(dist, 'LICENCES.txt'));

/** A module of Node itself, or a package that is in no bundle. */
const OTHERS =
  /^var (import_\w+) = ((?:__toESM\()?require\("(?:node:[^"]+|better-sqlite3)"\)(?:, 1)?\)?);$/gm;

/**
 * What a program asks for while it runs is in the bundle, unless its name is made up then. What is in no bundle is loaded by the first
 * use of it: a start uses few modules of Node, and some (http, tls, crypto) take as long as the rest of it.
 */
function asWrapped(code) {
  const names = new Set([...code.matchAll(OTHERS)].map(([, name]) => name));
  const body = code
    .replace(/^#!.*\n/, '')
    .replaceAll(/\bimport\("(\.[^"]+\.cjs)"\)/g, 'Promise.resolve().then(() => require("$1"))')
    .replaceAll(/\bnew (import_\w+)\.(\w+)/g, (use, name, member) =>
      names.has(name) ? `new (${name}_()).${member}` : use,
    )
    .replaceAll(/\b(import_\w+)(?=\.)/g, (name) => (names.has(name) ? `${name}_()` : name))
    .replaceAll(OTHERS, 'var $1;\nfunction $1_() {\n  return $1 ??= $2;\n}');
  const unknown = [...body.matchAll(/\b(import_\w+)\b(?!_\(\)| \?\?=|;)/g)].find(([, name]) =>
    names.has(name),
  );
  if (unknown !== undefined) throw new Error(`bundle.mjs does not know this use of a module: ${unknown[0]}`);
  return `(function (module, exports, require, bundleUrl, hasCode) {${body}\n})\n`;
}

for (const { path, text } of [...split.outputFiles, ...whole.outputFiles]) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, asWrapped(code));
}

await build({
  entryPoints: [`${dist}/system/Bundle.js`],
  outfile: `${dist}/system/Bundle.cjs`,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
});
rmSync(`${dist}/system/Bundle.js`);

mkdirSync(`${dist}/cli`);
writeFileSync(`${dist}/cli/package.json`, '{ "type": "commonjs" }\n');
for (const [file, program] of Object.entries(STARTED)) {
  const up = '../'.repeat(file.split('/').length - 1);
  const start = `#!/usr/bin/env node
const { join } = require('node:path');
const { Bundle } = require('${up}system/Bundle.cjs');

new Bundle(join(__dirname, '${up}bundle'), require).load('${program}.cjs');
`;
  writeFileSync(`${dist}/${file}`, start);
}
rmSync(`${dist}/kit/messages/osascript.js`);
