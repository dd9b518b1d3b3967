// Bundles the programs that are started as processes: loading hundreds of modules is most of what a short-lived one does.
// Of what tsc built they need nothing but Bundle.js. That runs the bundled modules with the code that V8 keeps of them
// (scripts/keepCode.mjs), which Node 20 can do for CommonJS alone.
// Bundles also what other programs import, so that the package needs no other one at run time but better-sqlite3.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { writeLicences } from './licences.mjs';
import { bringTypesOfZod } from './typesOfZod.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

/** Of `dist`; the daemon and its command, and the osascript of the simulator. */
const PROGRAMS = ['cli/main', 'kit/messages/osascript'];

/** Of `exports` in package.json, those that import packages; edge-agent/monitor-client imports none. */
const EXPORTS = ['index', 'kit/backend/index'];

/** zod's messages in fifty languages, which nobody asks for, are half of it. */
const withoutLocales = {
  name: 'without-locales',
  setup({ onLoad }) {
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
  },
};

const shared = {
  absWorkingDir: root,
  outbase: dist,
  bundle: true,
  splitting: true,
  metafile: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Its native part is found from where it lies.
  external: ['better-sqlite3'],
  plugins: [withoutLocales],
  logLevel: 'warning',
};

const { outputFiles, metafile } = await build({
  ...shared,
  entryPoints: PROGRAMS.map((name) => `${dist}/${name}.js`),
  outdir: `${dist}/bundle`,
  outExtension: { '.js': '.cjs' },
  chunkNames: '[name]-[hash]',
  write: false,
  define: { 'import.meta.url': 'bundleUrl', 'import.meta.hasCode': 'hasCode' },
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
const inputs = [metafile, library.metafile].flatMap((one) => Object.keys(one.inputs));
// The page of the monitor has it (scripts/pages.mjs).
writeLicences(root, [...inputs, 'node_modules/preact/package.json'], join(dist, 'LICENCES.txt'));

for (const { path, text } of outputFiles) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
  mkdirSync(dirname(path), { recursive: true });
  // What a program asks for while it runs is in the bundle, unless its name is made up then.
  const body = code
    .replace(/^#!.*\n/, '')
    .replaceAll(/\bimport\("(\.[^"]+\.cjs)"\)/g, 'Promise.resolve().then(() => require("$1"))');
  writeFileSync(path, `(function (module, exports, require, bundleUrl, hasCode) {${body}\n})\n`);
}

for (const program of PROGRAMS) {
  const up = '../'.repeat(program.split('/').length - 1);
  const start = `#!/usr/bin/env node
import { Bundle } from '${up}system/Bundle.js';

new Bundle(new URL('${up}bundle/', import.meta.url).href).load('${program}.cjs');
`;
  writeFileSync(`${dist}/${program}.js`, start);
}
