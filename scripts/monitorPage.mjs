// Puts the page of the monitor together: src/monitor-page → dist/monitor-page. Needs no network, and leaves nothing that does.

import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST_BYTES = 150 * 1024;

const source = fileURLToPath(new URL('../src/monitor-page', import.meta.url));
const target = fileURLToPath(new URL('../dist/monitor-page', import.meta.url));

mkdirSync(target, { recursive: true });
await build({
  entryPoints: { monitor: join(source, 'main.tsx') },
  tsconfig: join(source, 'tsconfig.json'),
  outdir: target,
  bundle: true,
  format: 'esm',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
});
for (const name of ['index.html', 'icon-well.svg', 'icon-wrong.svg', 'icon-away.svg'])
  copyFileSync(join(source, name), join(target, name));

const bytes = readdirSync(target).reduce(
  (sum, name) => sum + gzipSync(readFileSync(join(target, name))).length,
  0,
);
console.log(`The page of the monitor: ${(bytes / 1024).toFixed(1)} kB compressed`);
if (bytes > MOST_BYTES) {
  console.error(`It may have ${MOST_BYTES / 1024} kB.`);
  process.exit(1);
}
