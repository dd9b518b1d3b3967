// Puts the pages together: src/monitor-page → dist/monitor-page, src/gateway-page → dist/gateway-page. Needs no network, and leaves
// nothing that does.

import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST_BYTES = 150 * 1024;
const ICONS = ['icon-well.svg', 'icon-wrong.svg', 'icon-away.svg'];

await put('monitor-page', 'monitor', ICONS);
await put('gateway-page', 'console', ['icon-well.svg']);

/** `name` is that of the script and the style sheet that index.html loads. */
async function put(page, name, icons) {
  const source = fileURLToPath(new URL(`../src/${page}`, import.meta.url));
  const target = fileURLToPath(new URL(`../dist/${page}`, import.meta.url));
  const ofIcons = fileURLToPath(new URL('../src/monitor-page', import.meta.url));
  mkdirSync(target, { recursive: true });
  await build({
    entryPoints: { [name]: join(source, 'main.tsx') },
    tsconfig: join(source, 'tsconfig.json'),
    outdir: target,
    bundle: true,
    format: 'esm',
    target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  copyFileSync(join(source, 'index.html'), join(target, 'index.html'));
  for (const icon of icons) copyFileSync(join(ofIcons, icon), join(target, icon));
  const bytes = readdirSync(target).reduce(
    (sum, file) => sum + gzipSync(readFileSync(join(target, file))).length,
    0,
  );
  console.log(`${page}: ${(bytes / 1024).toFixed(1)} kB compressed`);
  if (bytes > MOST_BYTES) {
    console.error(`It may have ${MOST_BYTES / 1024} kB.`);
    process.exit(1);
  }
}
