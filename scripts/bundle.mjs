// Bundles the programs that are started as processes: loading hundreds of modules is most of what a short-lived one does.
// What tsc built stays beside them for whoever imports the package; a program needs nothing of it.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

/** Of `dist`; the daemon and its command, and the osascript of the simulator. */
const PROGRAMS = ['cli/main', 'kit/messages/osascript'];

await build({
  entryPoints: PROGRAMS.map((name) => `${dist}/${name}.js`),
  outbase: dist,
  outdir: dist,
  allowOverwrite: true,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Its native part is found from where it lies.
  external: ['better-sqlite3'],
  // Packages that are still CommonJS ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
  },
  logLevel: 'warning',
});
