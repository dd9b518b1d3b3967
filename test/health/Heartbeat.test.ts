import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Heartbeat } from '../../src/health/Heartbeat.js';
import { CountingClock } from '../support/CountingClock.js';
import { outboundBy } from '../support/outbound.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { until } from '../support/until.js';

let server: Server;
let status = 200;
let beats: string[] = [];
let running: Heartbeat | undefined;

beforeEach(async () => {
  status = 200;
  beats = [];
  server = createServer((request, response) => {
    beats.push(`${request.method} ${request.url}`);
    if (status === 0) return;
    response.writeHead(status, { Location: '/elsewhere' }).end('thanks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  running?.stop();
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

function begin(changes: { healthy?: () => boolean; path?: string } = {}) {
  const log = new RecordingLog();
  const { port } = server.address() as AddressInfo;
  const settings = {
    url: `http://127.0.0.1:${port}${changes.path ?? '/ping/s3cret'}` as string | undefined,
    everyMs: 20,
  };
  const clock = new CountingClock();
  let count = 0;
  running = new Heartbeat({
    settings: () => {
      count += 1;
      return settings;
    },
    healthy: changes.healthy ?? (() => true),
    outbound: outboundBy(),
    clock,
    log,
    firstMs: 1,
  });
  running.start();
  return { log, settings, heartbeat: running, clock, reads: () => count };
}
const came = (count: number) =>
  until(
    () => beats.length >= count,
    () => `${count} beats; there were ${beats.length}`,
  );

test('the URL is fetched repeatedly while the agent is healthy, and not while it is not', async () => {
  let healthy = true;
  let asked = 0;
  begin({
    healthy: () => {
      asked += 1;
      return healthy;
    },
  });
  await came(3);
  expect(new Set(beats)).toEqual(new Set(['GET /ping/s3cret']));
  healthy = false;
  const { length } = beats;
  const before = asked;
  await until(
    () => asked >= before + 5,
    () => 'five beats that are left out',
  );
  expect(beats.length).toBeLessThanOrEqual(length + 1);
  healthy = true;
  await came(length + 3);
});

test('a failure and its end are logged once each, without the secret path', async () => {
  const { log } = begin();
  await came(1);
  status = 500;
  await came(beats.length + 4);
  status = 200;
  await until(
    () => log.lines.length === 2,
    () => `two lines; there were ${log.lines.join('\n')}`,
  );
  expect(log.lines).toEqual(['WARN The heartbeat fails', 'INFO The heartbeat works again']);
});

test('a redirect is not followed: it could lead away from https', async () => {
  const { log } = begin();
  status = 302;
  await came(2);
  expect(beats).not.toContain('GET /elsewhere');
  expect(log.lines).toEqual(['WARN The heartbeat fails']);
});

test('nothing is fetched without a URL, and a URL that is set later takes effect', async () => {
  const { settings, heartbeat, reads } = begin();
  const { url } = settings;
  settings.url = undefined;
  const before = reads();
  await until(
    () => reads() >= before + 10,
    () => 'a few beats without a URL',
  );
  const { length } = beats;
  expect(length).toBeLessThanOrEqual(1);
  settings.url = url;
  heartbeat.start();
  await came(length + 1);
});

test('stopping ends a request that is not answered, without a log line', async () => {
  status = 0;
  const { log, heartbeat, clock } = begin();
  await came(1);
  heartbeat.stop();
  await until(
    () => clock.pending === 0,
    () => 'the end of the request and of every timer',
  );
  expect(beats).toHaveLength(1);
  expect(log.lines).toEqual([]);
});

test('a status that cannot be read skips one beat and ends nothing: the next ones follow', async () => {
  let isReadable = false;
  const { log } = begin({
    healthy: () => {
      if (isReadable) return true;
      throw new Error('database disk image is malformed');
    },
  });
  await until(
    () => log.lines.some((line) => line.includes('The heartbeat fails')),
    () => 'the failure in the log',
  );
  expect(beats).toEqual([]);
  isReadable = true;
  await came(2);
  expect(log.lines).toContain('INFO The heartbeat works again');
});
