#!/usr/bin/env node
/*
 * Installs the package as its users do, from the tarball and nothing else of this checkout: globally, where its man page is found
 * and the installed command tells its version, finds its settings and plays its demo; by npx; and into a project that imports it,
 * with its types. better-sqlite3 may be compiled where there is no binary of it, which takes minutes: run this before a release.
 * What the package may hold is test/docs/package.test.ts.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'edge-agent-pack-'));
const home = join(directory, 'home');
const prefix = join(directory, 'prefix');
const project = join(directory, 'project');
for (const one of [home, prefix, project]) mkdirSync(one);

/** Nothing of this checkout or of its user's settings is in reach but npm's cache and proxy. */
const env = {
  PATH: `${join(prefix, 'bin')}:${process.env.PATH}`,
  HOME: home,
  USER_PHONE: '+13105550100',
  BACKEND_URL: 'https://backend.example.com',
};
const installed = (...args) => execFileSync('edge-agent', args, { cwd: home, env, encoding: 'utf8' });
const npm = (cwd, ...args) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund'], { cwd, stdio: 'inherit' });

/** What brings better-sqlite3 its binary is needed while it is installed, and what it needs. */
const AT_RUN_TIME = ['better-sqlite3', 'bindings', 'file-uri-to-path'];

const PROGRAM = `
import { type Config, EdgeAgent, loadConfig } from 'edge-agent';
import { silent, SimulatedBackend } from 'edge-agent/dev-backend';
import { MonitorClient } from 'edge-agent/monitor-client';

const phone: (config: Config) => string = ({ edge }) => edge.user_phone;
// @ts-expect-error: types that are not found would be any, and take this.
const wrong: (config: Config) => boolean = ({ edge }) => edge.user_phone;
const backend = await SimulatedBackend.start({ port: 0, secret: 'secret', persona: silent });
await backend.stop();
const say = (agent: EdgeAgent) => agent.channel.sendNotification('success', 'All tests passed!', 'ann');
console.log([EdgeAgent, loadConfig, MonitorClient].map((one) => typeof one).join(), typeof phone, typeof wrong, typeof say);
`;

try {
  const printed = execFileSync('npm', ['pack', '--json', '--pack-destination', directory], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [{ filename, files, size }] = JSON.parse(printed);
  console.log(`packed ${files.length} files, ${(size / 1e6).toFixed(1)} MB; npm printed JSON alone`);
  const tarball = join(directory, filename);
  npm(home, 'install', '--global', '--allow-scripts=better-sqlite3', '--prefix', prefix, tarball);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expectThat('its man page', existsSync(join(prefix, 'share', 'man', 'man1', 'edge-agent.1')));
  expectThat('its version', installed('--version').trim() === version);
  expectThat('its settings', installed('config', 'show').includes('websocket.ping_interval_seconds'));
  expectThat('its demo', /edge-agent/.test(installed('demo')));

  const modules = join(prefix, 'lib', 'node_modules', 'edge-agent', 'node_modules');
  console.log(`${readdirSync(modules).filter((name) => !name.startsWith('.')).length} packages came with it`);
  for (const name of readdirSync(modules).filter((one) => !AT_RUN_TIME.includes(one)))
    rmSync(join(modules, name), { recursive: true });
  expectThat(`that it runs with ${AT_RUN_TIME.join(', ')} alone`, /edge-agent/.test(installed('demo')));

  const byNpx = execFileSync('npx', ['--yes', '--package', tarball, 'edge-agent', '--version'], {
    cwd: home,
    encoding: 'utf8',
  });
  expectThat('itself by npx', byNpx.trim() === version);

  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'project',
      type: 'module',
      private: true,
      allowScripts: { 'better-sqlite3': true },
    }),
  );
  npm(project, 'install', tarball);
  writeFileSync(join(project, 'program.mts'), PROGRAM);
  const types = join(root, 'node_modules', '@types');
  const options = [
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
  ];
  const tsc = [
    join(root, 'node_modules/typescript/bin/tsc'),
    ...options,
    '--typeRoots',
    types,
    'program.mts',
  ];
  execFileSync(process.execPath, tsc, { cwd: project, stdio: 'inherit' });
  const said = execFileSync(process.execPath, ['program.mjs'], { cwd: project, encoding: 'utf8' });
  expectThat(
    'its exports and their types',
    said.trim() === 'function,function,function function function function',
  );
  console.log('The installed package works.');
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function expectThat(what, holds) {
  if (!holds) throw new Error(`The installed package is not as it should be: ${what}.`);
  console.log(`ok: ${what}`);
}
