#!/usr/bin/env node
/*
 * Installs the package as its users do: packs it, installs the tarball globally in a clean prefix (better-sqlite3 may be
 * compiled, which takes minutes; run it by hand before a release), sees that its man page is found, and has the installed
 * command tell its version, find its settings and play its demo. What the package may hold is test/docs/package.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'edge-agent-pack-'));
const home = join(directory, 'home');
const prefix = join(directory, 'prefix');
for (const one of [home, prefix]) mkdirSync(one);

/** Nothing of this checkout or of its user's settings is in reach but npm's cache and proxy. */
const env = {
  PATH: `${join(prefix, 'bin')}:${process.env.PATH}`,
  HOME: home,
  USER_PHONE: '+13105550100',
  BACKEND_URL: 'https://backend.example.com',
};
const installed = (...args) => execFileSync('edge-agent', args, { cwd: home, env, encoding: 'utf8' });

try {
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', directory], { cwd: root, encoding: 'utf8' }),
  );
  console.log(`packed ${files.length} files`);
  execFileSync(
    'npm',
    ['install', '--global', '--no-audit', '--no-fund', '--prefix', prefix, join(directory, filename)],
    {
      cwd: home,
      stdio: 'inherit',
    },
  );
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expectThat('its man page', existsSync(join(prefix, 'share', 'man', 'man1', 'edge-agent.1')));
  expectThat('its version', installed('--version').trim() === version);
  expectThat('its settings', installed('config', 'show').includes('websocket.ping_interval_seconds'));
  expectThat('its demo', /edge-agent/.test(installed('demo')));
  console.log('The installed package works.');
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function expectThat(what, holds) {
  if (!holds) throw new Error(`The installed package is not as it should be: ${what}.`);
  console.log(`ok: ${what}`);
}
