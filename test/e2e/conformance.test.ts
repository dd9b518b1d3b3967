import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { echo } from '../../src/simulator/backend/persona.js';
import { SimulatedBackend } from '../../src/simulator/backend/SimulatedBackend.js';
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

test('a good backend ends with 0, after a word on what is done to it', async (context) => {
  const { backend, run } = await place(context);
  const { exitCode, stdout, stderr } = await run([backend.url, '--only', QUICK]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('edge_12025550143');
  expect(stderr).toContain('/api/send-message');
  expect(stdout).toMatch(/^PASS {2}auth\.http\.signed /m);
  expect(stdout).toMatch(/PASS, 0 FAIL, 0 SKIP\n$/);
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

test('--json and --junit tell the same, and the secret comes from a file', async (context) => {
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
  [[], "missing required argument 'backend-url'"],
] as const)('%j judges nothing and ends with 2', async ([args, said], context) => {
  const { run } = await place(context);
  const { exitCode, stdout, stderr } = await run([...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain(said);
});

test('a backend that is not there is one FAIL, and nothing more is asked of it', async (context) => {
  const { backend, run } = await place(context);
  await backend.stop();
  const { exitCode, stdout } = await run([backend.url]);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('came      connect ECONNREFUSED');
  expect(stdout).toMatch(/^0 PASS, 1 FAIL, \d+ SKIP$/m);
});
