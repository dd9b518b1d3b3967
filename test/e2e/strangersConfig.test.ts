import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fillPlist } from '../../src/service/launchAgentPlist.js';
import { servicePlaces } from '../../src/service/servicePlaces.js';
import { Pty } from '../support/Pty.js';
import { cleanEnvironment, runCli } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** A backend that notes the credentials that it is shown. */
async function stranger(): Promise<{ url: string; shown: string[] }> {
  const shown: string[] = [];
  const server = createServer((request, response) => {
    if (request.headers.authorization !== undefined) shown.push(request.headers.authorization);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  server.on('upgrade', (request, socket) => {
    if (request.headers.authorization !== undefined) shown.push(request.headers.authorization);
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, shown };
}

const config = (url: string) => `edge:\n  user_phone: "+13105550100"\nbackend:\n  url: ${url}\n`;

test.each([['doctor'], ['selftest'], ['run'], ['token', '--print']])(
  'edge-agent %s in a directory with another user’s config.yaml shows it no credentials',
  async (...verb) => {
    const { url, shown } = await stranger();
    const home = temporaryDirectory();
    const cwd = temporaryDirectory();
    writeFileSync(join(cwd, 'config.yaml'), config(url));
    const env = cleanEnvironment(home, { EDGE_SECRET: 's3cret-of-the-user' });
    const { stdout, stderr, exitCode } = await runCli(verb, { cwd, env });
    expect(exitCode).not.toBe(0);
    expect(`${stdout}${stderr}`).toContain('--config ./config.yaml');
    expect(shown).toEqual([]);
  },
);

test.each([
  ['no by default', '\r', []],
  ['yes', 'y\r', ['Bearer']],
] as const)('at a terminal it asks about it once: %s', async (_, typed, expected) => {
  const { url, shown } = await stranger();
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, 'config.yaml'), config(url));
  const env = cleanEnvironment(temporaryDirectory(), { EDGE_SECRET: 's3cret-of-the-user' });
  const pty = Pty.run(['doctor', '--json'], { cwd, env });
  onTestFinished(() => pty.dispose());
  await pty.shows('Is it your file');
  expect(shown).toEqual([]);
  pty.type(typed);
  await pty.exited;
  expect(pty.text.match(/decides which backend/g)).toHaveLength(expected.length === 0 ? 2 : 1);
  expect([...new Set(shown.map((header) => header.split(' ')[0]))]).toEqual(expected);
});

test('and this user’s own file takes precedence over it', async () => {
  const { url, shown } = await stranger();
  const home = temporaryDirectory();
  const cwd = temporaryDirectory();
  const usual = join(home, '.config', 'edge-agent');
  mkdirSync(usual, { recursive: true });
  writeFileSync(join(usual, 'config.yaml'), config('http://127.0.0.1:9'));
  writeFileSync(join(usual, '.env'), 'EDGE_SECRET=s3cret-of-the-user\n', { mode: 0o600 });
  writeFileSync(join(cwd, 'config.yaml'), config(url));
  const env = cleanEnvironment(home);
  const { stdout, stderr } = await runCli(['config', 'path'], { cwd, env });
  expect(stdout.trim()).toBe(join(usual, 'config.yaml'));
  expect(stderr).toContain('not the config.yaml here');
  await runCli(['doctor'], { cwd, env });
  expect(shown).toEqual([]);
});

/** A Mac whose service was installed with a configuration elsewhere. */
function installedElsewhere() {
  const home = temporaryDirectory();
  const ofService = join(home, 'kept & elsewhere', 'edge.yaml');
  const { plist } = servicePlaces(home);
  for (const path of [ofService, plist]) mkdirSync(dirname(path), { recursive: true });
  const template = readFileSync(new URL('../../launchd/edge-agent.plist', import.meta.url), 'utf8');
  const paths = {
    BUNDLE: 'local.edge-agent',
    RUNTIME: '/node',
    PROGRAM: '/main.js',
    HOME: home,
    ERRORS: '/errors.log',
  };
  writeFileSync(plist, fillPlist(template, { ...paths, CONFIG: ofService }));
  writeFileSync(ofService, config('http://127.0.0.1:9'));
  return { ofService, env: cleanEnvironment(home, { STAND_IN_PROGRAMS: temporaryDirectory() }) };
}

test('and that of the installed service takes precedence over the usual one', async () => {
  const cwd = temporaryDirectory();
  const { ofService, env } = installedElsewhere();
  writeFileSync(join(cwd, 'config.yaml'), config('http://127.0.0.1:8'));
  const { stdout, stderr } = await runCli(['config', 'path'], { cwd, env });
  expect(stdout.trim()).toBe(ofService);
  expect(stderr).toContain('not the config.yaml here');
});

test('and a service that was installed with a configuration elsewhere is the one used, in whatever directory', async () => {
  const { ofService, env } = installedElsewhere();
  const usual = join(env.HOME ?? '', 'Library', 'Application Support', 'edge-agent');
  mkdirSync(usual, { recursive: true });
  for (const other of [undefined, config('http://127.0.0.1:8')]) {
    if (other !== undefined) writeFileSync(join(usual, 'config.yaml'), other);
    const { stdout, stderr } = await runCli(['config', 'path'], { cwd: temporaryDirectory(), env });
    expect([stdout.trim(), stderr]).toEqual([ofService, '']);
  }
});
