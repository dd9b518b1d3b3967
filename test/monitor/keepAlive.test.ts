import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Cleanup } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { MonitorWorld } from '../support/MonitorWorld.js';
import { until } from '../support/until.js';

async function open(cleanup: Cleanup) {
  const clock = new FakeClock(Date.now());
  return { clock, world: await MonitorWorld.open(cleanup, { clock }) };
}

test('a client that is pinged every 30 s and answers is kept', async (cleanup) => {
  const { clock, world } = await open(cleanup);
  const client = await world.operator();
  for (let round = 1; round <= 4; round++) {
    clock.advance(29_000);
    await client.caughtUp();
    expect(client.all('ping')).toHaveLength(round - 1);
    clock.advance(1_000);
    await until(
      () => client.all('ping').length === round,
      () => `ping ${round}`,
    );
    client.say({ type: 'pong' });
  }
  expect(client.isClosed).toBe(false);
});

test('one that does not know the agent’s pings, such as a hook in a page, is kept by the pongs of its library', async (cleanup) => {
  const { clock, world } = await open(cleanup);
  const hook = await world.operator('hook');
  const other = await world.operator('other');
  for (let round = 1; round <= 5; round++) {
    const pinged = once(hook.socket, 'ping');
    clock.advance(30_000);
    await pinged;
    // Its pong is in flight; a request now is answered after it was read.
    await other.caughtUp();
    await other.caughtUp();
  }
  await hook.caughtUp();
  expect(hook.isClosed).toBe(false);
});

test('one that is silent for 60 s is dropped', async (cleanup) => {
  const { clock, world } = await open(cleanup);
  const [silent, other] = [
    await world.connect(await world.token('silent'), { autoPong: false }),
    await world.operator('other'),
  ];
  clock.advance(40_000);
  other.say({ type: 'ping' });
  await other.heard('pong');
  clock.advance(22_000);
  expect((await silent.closed).code).toBe(4000);
  await other.caughtUp();
  expect(world.server.counts()).toEqual({ connected: 1, authenticated: 1 });
});

test('a session ends with its token, and its user is notified 5 minutes before', async (cleanup) => {
  const { clock, world } = await open(cleanup);
  const client = await world.operator('ann', 3_600_000);
  const other = await world.operator('bob', 7_200_000);
  const live = async (minutes: number) => {
    for (let half = 0; half < minutes * 2; half++) {
      clock.advance(30_000);
      await Promise.all([client.caughtUp(), other.caughtUp()]);
    }
  };
  await live(54);
  expect(client.all('notification')).toEqual([]);
  await live(2);
  expect(client.all('notification').map(({ data }) => data?.level)).toEqual(['warning']);
  expect(other.all('notification')).toEqual([]);
  await live(5);
  expect((await client.closed).code).toBe(4001);
  expect(other.isClosed).toBe(false);
});

test('without connections no timer runs', async (cleanup) => {
  const { clock, world } = await open(cleanup);
  expect(clock.pending).toBe(0);
  const client = await world.operator();
  client.close();
  await until(
    () => world.server.counts().connected === 0,
    () => 'it to be gone',
  );
  clock.advance(2_000);
  expect(clock.pending).toBe(0);
});
