import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import { type ConnectProxy, connectProxy, tlsFront } from '../support/ConnectProxy.js';
import { certificate } from '../support/certificate.js';
import { type Cleanup, EdgeWorld, PERSON, REALTIME } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const CREDENTIALS = 'mini:pr0xy-passw0rd-1f3a';

interface Corporation {
  readonly world: EdgeWorld;
  readonly proxy: ConnectProxy;
  readonly caPath: string;
  /** Of the proxy, with its user name and password. */
  readonly proxyUrl: string;
  readonly settings: Record<string, unknown>;
}

/** A backend with a certificate of a private authority that only a proxy with a password reaches: nothing else knows its name. */
async function corporation(context: Cleanup): Promise<Corporation> {
  const own = certificate();
  const hosts: Record<string, number> = {};
  const proxy = await connectProxy({ hosts, credentials: CREDENTIALS }, context);
  const world = await EdgeWorld.open(context, { persona: silent });
  hosts['files.example:443'] = await tlsFront(own, Number(new URL(world.backend.url).port), context);
  const caPath = join(world.directory, 'ca.pem');
  writeFileSync(caPath, `Our own authority\n${own.cert}`);
  const proxyUrl = proxy.url.replace('://', `://${CREDENTIALS}@`);
  const settings = {
    'backend.url': 'https://files.example',
    'backend.proxy': proxyUrl,
    'backend.ca_file': './ca.pem',
  };
  world.writeConfig(settings);
  return { world, proxy, caPath, proxyUrl, settings };
}

test('a backend behind a proxy with a password, with a certificate of a private authority, is reached by HTTP and in real time', async (context) => {
  const { world, proxy } = await corporation(context);
  await world.start();
  world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  await world.backend.until(() => world.backend.messages.length === 1);
  await world.acked(world.command('out'));
  expect(new Set(proxy.asked)).toEqual(new Set(['files.example:443']));
  expect(proxy.passed()).not.toMatch(/hello|Bearer|edge_13105550100/);
  const shown = [
    await world.cli('config', 'show'),
    await world.cli('config', 'get', 'backend.proxy'),
    await world.cli('status', '--json'),
    await world.cli('doctor', '--json'),
  ].map(({ stdout, stderr }) => stdout + stderr);
  for (const text of [...shown, world.log().join('\n')]) expect(text).not.toContain('pr0xy-passw0rd');
  expect(shown[1]).toContain('http://…@127.0.0.1');
});

test('doctor uses the route of the agent: through the proxy, with the certificates, and says so', async (context) => {
  const { world, proxy } = await corporation(context);
  const report = JSON.parse((await world.cli('doctor', '--json')).stdout) as {
    checks: { id: string; verdict: string; evidence: string; remedy?: string }[];
  };
  const found = (id: string) => report.checks.find((check) => check.id === id);
  expect(found('proxy')).toMatchObject({
    verdict: 'PASS',
    evidence: `through the proxy ${proxy.url}, from backend.proxy (config.yaml:8)`,
  });
  for (const id of ['tcp', 'http', 'auth', 'websocket'])
    expect(found(id), id).toMatchObject({ verdict: 'PASS' });
  // The certificate is good for two days.
  expect(found('tls')).toMatchObject({ verdict: 'WARN', evidence: expect.stringContaining('TLSv1.3') });
  expect(proxy.asked.length).toBeGreaterThanOrEqual(4);
  world.writeConfig({ 'backend.url': 'https://files.example', 'backend.proxy': `${proxy.url}` });
  const refused = await world.cli('doctor', '--json');
  expect(refused.stdout).toContain('it needs a user name and password (HTTP 407)');
});

test('variables of the environment and of .env are used; backend.proxy overrides them', async (context) => {
  const { world, proxy, proxyUrl, settings } = await corporation(context);
  world.place.env.HTTPS_PROXY = 'http://127.0.0.1:1';
  world.place.env.DEBUG = '*';
  const first = await world.start();
  await first.kill('SIGKILL');
  expect(first.complaints()).not.toContain('pr0xy-passw0rd');
  world.writeConfig({ ...settings, 'backend.proxy': undefined });
  world.place.env.HTTPS_PROXY = undefined;
  world.place.env.https_proxy = proxyUrl;
  const second = await world.start();
  await second.kill('SIGKILL');
  world.place.env.https_proxy = undefined;
  writeFileSync(world.envPath, `EDGE_SECRET=e2e-secret-0f2d7c\nHTTPS_PROXY=${proxyUrl}\n`, { mode: 0o600 });
  await world.start();
  expect(new Set(proxy.asked)).toEqual(new Set(['files.example:443']));
});

test('a backend on this machine is never reached through a proxy', async (context) => {
  const { world, proxy } = await corporation(context);
  world.writeConfig({ 'backend.proxy': proxy.url });
  world.place.env.HTTP_PROXY = proxy.url;
  await world.start();
  expect(proxy.asked).toEqual([]);
});

test('a certificate and a proxy that are corrected take effect at once, and a damaged file changes nothing', async (context) => {
  const { world, proxy, caPath, settings } = await corporation(context);
  const right = certificate();
  writeFileSync(caPath, right.cert);
  const daemon = await world.startDegraded();
  await until(
    () => proxy.asked.length >= 2,
    () => 'attempts with the wrong authority',
  );
  expect(world.backend.messages).toEqual([]);
  writeFileSync(caPath, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const refused = await daemon.line('The changed configuration is invalid');
  expect(refused).toContain(`config.yaml:9  backend.ca_file: found ${caPath}:1: the certificate`);
  // Not the one in use, and wrong too: it is still watched.
  world.writeConfig({ ...settings, 'backend.ca_file': './other.pem' });
  await daemon.line('other.pem: there is no such file');
  const front = await freshFront(context, world);
  writeFileSync(join(world.directory, 'other.pem'), front.cert);
  world.writeConfig({ ...settings, 'backend.ca_file': './other.pem', 'backend.proxy': front.proxyUrl });
  await daemon.line(REALTIME);
});

async function freshFront(context: Cleanup, world: EdgeWorld) {
  const own = certificate();
  const port = await tlsFront(own, Number(new URL(world.backend.url).port), context);
  const proxy = await connectProxy({ hosts: { 'files.example:443': port } }, context);
  return { cert: own.cert, proxyUrl: proxy.url };
}

test('a service that waits for a certificate file starts once it exists', async (context) => {
  const { world, caPath, settings } = await corporation(context);
  world.writeConfig({ ...settings, 'backend.ca_file': './late.pem' });
  const daemon = world.spawn(['run', '--service']);
  await daemon.line('late.pem: there is no such file');
  writeFileSync(join(world.directory, 'late.pem'), readFileSync(caPath));
  await daemon.line(REALTIME);
});

test('other requests that leave this machine use the same route: heartbeat and alerts', async (context) => {
  const { world, proxy, settings } = await corporation(context);
  world.writeConfig({
    ...settings,
    'health.heartbeat_url': 'https://beats.example/s3cret',
    'health.heartbeat_seconds': 10,
    'alerts.webhook_url': 'https://alerts.example/s3cret',
  });
  await world.start();
  const tested = await world.cli('alerts', 'test', '--json');
  expect(tested.stdout).toContain('opens no connection: it answers HTTP 502');
  await until(
    () => proxy.asked.includes('beats.example:443') && proxy.asked.includes('alerts.example:443'),
    () => `the heartbeat and the alert; asked was ${proxy.asked.join()}`,
  );
});
