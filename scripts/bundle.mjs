// Bundles the programs that are started as processes: loading hundreds of modules is most of what a short-lived one does.
// What tsc built stays beside them for whoever imports the package; a program needs nothing of it but Bundle.js. That runs the
// bundled modules with the code that V8 keeps of them (scripts/keepCode.mjs), which Node 20 can do for CommonJS alone.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

/** Of `dist`; the daemon and its command, and the osascript of the simulator. */
const PROGRAMS = ['cli/main', 'kit/messages/osascript'];

/** zod's messages in fifty languages, which nobody asks for, are half of it. */
const withoutLocales = {
  name: 'without-locales',
  setup({ onLoad }) {
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export {};' }));
  },
};

const { outputFiles } = await build({
  entryPoints: PROGRAMS.map((name) => `${dist}/${name}.js`),
  outbase: dist,
  outdir: `${dist}/bundle`,
  outExtension: { '.js': '.cjs' },
  chunkNames: '[name]-[hash]',
  write: false,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Its native part is found from where it lies.
  external: ['better-sqlite3'],
  define: { 'import.meta.url': 'bundleUrl', 'import.meta.hasCode': 'hasCode' },
  plugins: [withoutLocales],
  logLevel: 'warning',
});

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
