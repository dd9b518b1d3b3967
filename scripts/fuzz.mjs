import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/*
 * Throws hostile items at every way by which something comes in: test/soak/fuzz/main.ts, compiled as the agent is, because time
 * is measured. Below node_modules, so that packages are found from there.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const directory = mkdtempSync(join(cache, 'fuzz-'));
try {
  await build({
    stdin: {
      contents:
        "import { main } from './test/soak/fuzz/main.ts';\nprocess.exit(await main(process.argv.slice(2)));",
      resolveDir: root,
      loader: 'ts',
    },
    outfile: join(directory, 'fuzz.mjs'),
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
  const { status } = spawnSync(process.execPath, [join(directory, 'fuzz.mjs'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
