import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { echo } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { CLI } from '../support/program.js';
import { cleanEnvironment, runCli } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';

const SECRET = 'cli-secret-4f0b';
const QUICK = 'auth.http.signed,ack.sync';

async function place(context: TestContext) {
  const cwd = temporaryDirectory(context);
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
  context.onTestFinished(() => backend.stop());
  const run = (args: string[], env: NodeJS.ProcessEnv = { EDGE_SECRET: SECRET }) =>
    runCli(['conformance', ...args], { cwd, env: cleanEnvironment(cwd, env) });
  return { cwd, backend, run };
}

test('a good backend ends with 0, after a summary of what the checks do to it', async (context) => {
  const { backend, run } = await place(context);
  const { exitCode, stdout, stderr } = await run([backend.url, '--only', QUICK]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('edge_12025550143');
  expect(stderr).toContain('/api/send-message');
  expect(stdout).toMatch(/^PASS {2}auth\.http\.signed /m);
  expect(stdout).toMatch(/PASS, 0 FAIL, 0 MISSING, 0 SKIP\n$/);
  expect(stdout + stderr).not.toContain(SECRET);
});

test('a backend with another secret ends with 1, and what failed says all that its author needs', async (context) => {
  const { backend, run } = await place(context);
  const { exitCode, stdout, stderr } = await run([backend.url, '--only', QUICK], {
    EDGE_SECRET: 'another-51a2',
  });
  expect(exitCode).toBe(1);
  for (const part of ['FAIL  auth.http.signed', 'sent  ', 'came  ', 'expected  ', 'clause    P1.1']) {
    expect(stdout).toContain(part);
  }
  expect(stdout).toContain('needs auth.socket.signed, which failed');
  expect(stdout + stderr).not.toContain('another-51a2');
});

test('--json and --junit agree, and the secret comes from a file', async (context) => {
  const { cwd, backend, run } = await place(context);
  writeFileSync(join(cwd, 'secret'), `${SECRET}\n`);
  const args = [
    backend.url,
    '--only',
    'keepalive.pong',
    '--secret-file',
    'secret',
    '--json',
    '--junit',
    'out.xml',
  ];
  const { exitCode, stdout } = await run(args, {});
  expect(exitCode).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ schema: 1, backend: backend.url, summary: { FAIL: 0, SKIP: 0 } });
  const pong = report.checks.at(-1);
  expect(pong).toMatchObject({
    id: 'keepalive.pong',
    clause: 'P3.4',
    verdict: 'PASS',
    latency: { samples: 10 },
  });
  const xml = readFileSync(join(cwd, 'out.xml'), 'utf8');
  expect(xml).toContain(`tests="${report.checks.length}" failures="0" errors="0" skipped="0"`);
  expect(xml.match(/<testcase /g)).toHaveLength(report.checks.length);
});

test.for([
  [['http://example.com'], 'https://'],
  [['--only', 'no.such', 'http://127.0.0.1:1'], 'no check "no.such"'],
  [['http://127.0.0.1:1', '--secret-file', 'nowhere'], 'There is no secret in nowhere'],
  [
    ['https://backend.example.com', '--send-url', 'https://other.example.com/send'],
    'There is no key for --send-url',
  ],
  [['http://127.0.0.1:1', '--phone', 'abc'], '--phone: expected a number in E.164 form'],
  [['http://127.0.0.1:1', '--agent-id', 'two words'], '--agent-id: expected an id of'],
  [['http://127.0.0.1:1', '--registration-token-file', 'nowhere'], 'There is no secret in nowhere'],
  [['http://127.0.0.1:1', '--junit', 'no/such/place.xml'], '--junit: no/such/place.xml cannot be written'],
  [[], "missing required argument 'backend-url'"],
] as const)('%j judges nothing and ends with 2', async ([args, said], context) => {
  const { run } = await place(context);
  const { exitCode, stdout, stderr } = await run([...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain(said);
});

test('an address with a password in it is refused without the password', async (context) => {
  const { run } = await place(context);
  for (const address of ['http://bob:pass-61@127.0.0.1:1', 'bob:pass-61@backend', 'ftp://bob:pa/ss-61@x']) {
    const { exitCode, stdout, stderr } = await run([address]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).not.toMatch(/bob|ss-61/);
  }
});

test('an earlier report stays as it is when nothing is judged', async (context) => {
  const { cwd, run } = await place(context);
  writeFileSync(join(cwd, 'out.xml'), 'earlier');
  expect((await run(['http://127.0.0.1:1', '--phone', 'abc', '--junit', 'out.xml'])).exitCode).toBe(2);
  expect(readFileSync(join(cwd, 'out.xml'), 'utf8')).toBe('earlier');
});

test('a backend that is busy all the time is not judged, which ends with 2', async (context) => {
  const { run } = await place(context);
  const busy = createServer((_request, response) => response.writeHead(429, { 'retry-after': '3600' }).end());
  busy.listen(0, '127.0.0.1');
  await once(busy, 'listening');
  context.onTestFinished(() => {
    busy.close();
  });
  const { exitCode, stdout } = await run([`http://127.0.0.1:${(busy.address() as AddressInfo).port}`]);
  expect(exitCode).toBe(2);
  expect(stdout).toMatch(/^It could not be determined which endpoints exist\.\n/);
  expect(stdout).toContain('rate-limited: 429, to be tried again after 3600 s');
  expect(stdout).toMatch(/^0 PASS, 0 FAIL, 0 MISSING, \d+ SKIP$/m);
});

test('Ctrl-C ends the checks with 130, and no command is left waiting', async (context) => {
  const { cwd, backend } = await place(context);
  const env = cleanEnvironment(cwd, { EDGE_SECRET: SECRET });
  const child = spawn(process.execPath, [CLI, 'conformance', backend.url], { cwd, env, stdio: 'pipe' });
  context.onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
    if (/^PASS {2}push\.ids/m.test(stdout)) child.kill('SIGINT');
  });
  const [exitCode] = await once(child, 'close');
  expect(exitCode).toBe(130);
  expect(stdout).not.toContain('message.reflex');
  expect(await backend.commands.waiting('edge_12025550143')).toEqual([]);
  expect(backend.connections).toEqual([]);
});

test('what is printed first says whether anything is left to build', async (context) => {
  const { backend, run } = await place(context);
  const { exitCode, stdout } = await run([backend.url, '--no-reflex']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^All required endpoints exist\.\n\nPASS /);
});

test('a backend that is not there is one FAIL, and no further check runs', async (context) => {
  const { backend, run } = await place(context);
  await backend.stop();
  const { exitCode, stdout } = await run([backend.url]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^Fix first: transport\.reachable\.\n/);
  expect(stdout).toContain('came      connect ECONNREFUSED');
  expect(stdout).toMatch(/^0 PASS, 1 FAIL, 0 MISSING, \d+ SKIP$/m);
});
