import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { UpdateCheck } from '../../src/health/UpdateCheck.js';
import { isNewer } from '../../src/system/npmRegistry.js';
import { FakeClock } from '../support/FakeClock.js';
import { outboundBy } from '../support/outbound.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;
const UNKNOWN = 'Whether there is a newer version is not known';
const manifest = (version: string) => ({
  name: 'edge-agent',
  version,
  bin: { 'edge-agent': 'dist/cli/main.js' },
});

/** A registry on this machine; what it was asked, in order. `status` 0: it never answers. */
async function registry() {
  const asked: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const says = { status: 200, body: JSON.stringify(manifest('0.2.0')) };
  const server = createServer((request, response) => {
    asked.push({ url: `${request.method} ${request.url}`, headers: request.headers });
    if (says.status > 0) response.writeHead(says.status, { Location: '/elsewhere' }).end(says.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { asked, says, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/npm/` };
}

function begin({
  env = {},
  homeDir = temporaryDirectory(),
  clock = new FakeClock(),
  store = temporaryStore(clock),
}: {
  env?: NodeJS.ProcessEnv;
  homeDir?: string;
  clock?: FakeClock;
  store?: ReturnType<typeof temporaryStore>;
}) {
  const log = new RecordingLog();
  const settings = { check: true };
  const check = new UpdateCheck({
    isOn: () => settings.check,
    version: '0.1.0',
    store,
    outbound: outboundBy(),
    env,
    homeDir,
    clock,
    log,
  });
  check.start();
  onTestFinished(() => check.stop());
  const logged = (words: string) =>
    until(
      () => log.lines.some((line) => line.includes(words)),
      () => `"${words}" in ${log.lines.join('\n')}`,
    );
  return { check, clock, store, log, settings, logged };
}

test('a newer version is reported once a day, over restarts, and the registry learns nothing about the agent', async () => {
  const { asked, url } = await registry();
  const env = { NPM_CONFIG_REGISTRY: url };
  const { check, clock, store, logged } = begin({ env });
  expect(check.available()).toBeUndefined();
  clock.advance(5_000);
  await logged('A newer version is available');
  expect(check.available()).toEqual({ version: '0.2.0', checked_at: '2026-01-01T00:00:05.000Z' });
  check.stop();
  const again = begin({ env, clock, store });
  expect(again.check.available()?.version).toBe('0.2.0');
  clock.advance(23 * HOUR_MS);
  expect(asked).toHaveLength(1);
  clock.advance(HOUR_MS + 5_000);
  await again.logged('A newer version is available');
  expect(asked.map((one) => one.url)).toEqual(Array(2).fill('GET /npm/edge-agent/latest'));
  expect(Object.keys(asked[0]?.headers ?? {}).toSorted()).toEqual(['accept', 'connection', 'host']);
});

test('the registry is the one of .npmrc, where the environment names none', async () => {
  const { asked, url } = await registry();
  const homeDir = temporaryDirectory();
  const secret = 's3cret';
  const npmrc = `; mine\nregistry = "\${WHERE}"\n//127.0.0.1/:_authToken=${secret}\n`;
  writeFileSync(join(homeDir, '.npmrc'), npmrc);
  const { clock, logged } = begin({ homeDir, env: { WHERE: url.replace('//', `//me:${secret}@`) } });
  clock.advance(5_000);
  await logged('A newer version is available');
  expect(asked.map(({ headers }) => Object.keys(headers).toSorted())).toEqual([
    ['accept', 'connection', 'host'],
  ]);
  expect(JSON.stringify(asked)).not.toContain(secret);
});

test('while it is off nothing is requested or reported; once it is on, at once', async () => {
  const { asked, url } = await registry();
  const { check, clock, settings, logged } = begin({ env: { npm_config_registry: url } });
  settings.check = false;
  clock.advance(48 * HOUR_MS);
  expect(asked).toEqual([]);
  settings.check = true;
  check.start();
  clock.advance(5_000);
  await logged('A newer version is available');
  settings.check = false;
  expect(check.available()).toBeUndefined();
});

test.each([
  ['an older version', 200, JSON.stringify(manifest('0.0.9'))],
  ['the version that runs', 200, JSON.stringify(manifest('0.1.0'))],
])('%s is no newer version', async (_, status, body) => {
  const { asked, says, url } = await registry();
  Object.assign(says, { status, body });
  const { check, clock, store } = begin({ env: { npm_config_registry: url } });
  clock.advance(5_000);
  await until(
    () => store.meta.get('update_check')?.includes('newest') === true,
    () => 'the answer in the store',
  );
  expect(asked).toHaveLength(1);
  expect(check.available()).toBeUndefined();
});

test.each([
  ['a program of another author by that name', 200, '{"name":"edge-agent","version":"9.0.0"}'],
  ['an invalid version', 200, JSON.stringify(manifest('9.0.0\u001b[2J'))],
  ['no JSON', 200, '<html>'],
  ['too much', 200, 'x'.repeat(2_000_000)],
  ['a redirect', 302, ''],
  ['a refusal', 401, ''],
  ['nothing at all', 0, ''],
])('%s is no version, and no fault of the agent', async (_, status, body) => {
  const { says, url } = await registry();
  Object.assign(says, { status, body });
  const { check, clock, log, logged } = begin({ env: { npm_config_registry: url } });
  clock.advance(5_000);
  if (status === 0) clock.advance(10_000);
  await logged(UNKNOWN);
  expect(check.available()).toBeUndefined();
  expect(log.lines.filter((line) => !line.startsWith('INFO'))).toEqual([]);
});

test('versions are compared by their numbers, and a pre-release comes before its release', () => {
  expect(isNewer('0.10.0', '0.9.9')).toBe(true);
  expect(isNewer('1.0.0', '1.0.0-rc.1')).toBe(true);
  expect(isNewer('1.0.0-rc.1', '1.0.0')).toBe(false);
  expect(isNewer('1.0.0', '1.0.0')).toBe(false);
  expect(isNewer('0.9.9', '0.10.0')).toBe(false);
  expect(isNewer('latest', '0.1.0')).toBe(false);
});
