import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { LoopbackPort } from '../../src/monitor/LoopbackPort.js';
import type { Cleanup } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { until } from '../support/until.js';

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((found) => found?.address === '::1');

function open({ onTestFinished }: Cleanup, port: number) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const door = new LoopbackPort({
    port,
    clock,
    log,
    server: () => createServer((_request, response) => response.end('here')),
  });
  onTestFinished(() => door.stop());
  return { clock, log, door };
}

async function squatter(
  { onTestFinished }: Cleanup,
  host: string,
): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => socket.end(() => resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

test('it is served on the loopback addresses and on no other', async (cleanup) => {
  const { door, log } = open(cleanup, 0);
  await door.start();
  const port = door.port ?? 0;
  expect(await canConnect('127.0.0.1', port)).toBe(true);
  if (hasIpv6) expect(await canConnect('::1', port)).toBe(true);
  const others = Object.values(networkInterfaces())
    .flat()
    .filter((found) => found !== undefined && !found.internal && found.family === 'IPv4')
    .map((found) => found?.address ?? '');
  for (const address of others) expect(await canConnect(address, port)).toBe(false);
  expect(door.fault()).toBeUndefined();
  expect(log.lines).toEqual([]);
  await door.stop();
  expect(door.port).toBeNull();
  expect(await canConnect('127.0.0.1', port)).toBe(false);
});

test('a port in use is a fault that is reported once, and cleared once it is free', async (cleanup) => {
  const { server, port } = await squatter(cleanup, '127.0.0.1');
  const { door, log, clock } = open(cleanup, port);
  await door.start();
  expect(door.port).toBeNull();
  expect(door.fault()).toMatchObject({
    code: 'monitor_unavailable',
    message: expect.stringContaining('EADDRINUSE'),
  });
  await clock.advanceAsync(60_000);
  expect(log.lines).toEqual(['WARN The monitor cannot be served; trying again']);
  server.close();
  await once(server, 'close');
  await until(
    async () => {
      await clock.advanceAsync(10_000);
      return door.fault() === undefined;
    },
    () => 'the port to be had',
  );
  expect(await canConnect('127.0.0.1', port)).toBe(true);
  expect(log.lines).toHaveLength(2);
});

test.skipIf(!hasIpv6)(
  'another process on the other loopback address is a fault too: "localhost" may mean it',
  async (cleanup) => {
    const { port } = await squatter(cleanup, '::1');
    const { door } = open(cleanup, port);
    await door.start();
    expect(door.fault()).toBeDefined();
    expect(door.port).toBe(port);
  },
);
