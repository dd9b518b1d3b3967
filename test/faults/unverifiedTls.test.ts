import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { StatusSnapshot } from '../../src/model/status.js';
import { certificate } from '../support/certificate.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

/** A stranger between the agent and its backend, with an untrusted certificate; it records what it receives. */
async function stranger() {
  const heard: string[] = [];
  let handshakes = 0;
  const server = createServer(certificate(), (request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
  });
  server.on('upgrade', (request, socket) => {
    heard.push(`upgrade ${request.url} ${request.headers.authorization ?? ''}`);
    socket.destroy();
  });
  server.on('tlsClientError', () => {
    handshakes += 1;
  });
  server.on('secureConnection', () => {
    handshakes += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  return { url, heard, handshakes: () => handshakes };
}

test.each<[string, NodeJS.ProcessEnv, string]>([
  ['the environment', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, ''],
  ['.env', {}, 'NODE_TLS_REJECT_UNAUTHORIZED=0\n'],
  [
    'options of Node',
    { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: '--tls-min-v1.0 --insecure-http-parser' },
    '',
  ],
])('an impostor with a false certificate is sent nothing, whatever %s asks for', async (_, env, dotenv) => {
  const { url, heard, handshakes } = await stranger();
  const world = await EdgeWorld.open(
    { onTestFinished },
    { settings: { 'backend.url': url, 'health.heartbeat_url': `${url}/beat` } },
  );
  if (dotenv !== '')
    writeFileSync(join(world.directory, '.env'), `EDGE_SECRET='s3cret-of-the-test'\n${dotenv}`, {
      mode: 0o600,
    });
  Object.assign(world.place.env, env);
  const daemon = await world.startDegraded();
  await until(
    () => handshakes() >= 3,
    () => 'three attempts to reach the backend',
  );
  expect(heard).toEqual([]);
  expect(daemon.complaints()).not.toContain('insecure');
  const status = JSON.parse((await world.cli('status', '--json')).stdout) as StatusSnapshot;
  const problem = status.problems.find(({ code }) => code === 'tls_setting_ignored');
  expect(problem?.message).toContain('NODE_TLS_REJECT_UNAUTHORIZED');
  const report = JSON.parse((await world.cli('doctor', '--json')).stdout) as {
    checks: { id: string; verdict: string }[];
  };
  expect(report.checks.find(({ id }) => id === 'tls')?.verdict).toBe('FAIL');
  expect(heard).toEqual([]);
});
