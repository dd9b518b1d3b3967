import { describe, expect, test } from 'vitest';
import { MonitorWorld } from '../support/MonitorWorld.js';
import { until } from '../support/until.js';
import type { WatchingClient } from '../support/WatchingClient.js';

const MIB = 1024 * 1024;

/** The connection is as good as before. */
async function isAlive(client: WatchingClient): Promise<void> {
  await client.caughtUp();
  expect(client.isClosed).toBe(false);
}

describe('is answered by an error, and the connection stays', () => {
  const BAD: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['text that is not JSON', '{"type":', /not JSON/],
    ['nothing', '', /not JSON/],
    ['JSON that is no object', '[1,2]', /Invalid message format/],
    ['null', 'null', /Invalid message format/],
    ['an unknown type', '{"type":"reboot"}', /Unknown message type: expected one of ping, pong/],
    ['a type that is no text', '{"type":{"a":1}}', /Unknown message type/],
    ['no type', '{"data":"online"}', /Unknown message type/],
    ['a type of the server', '{"type":"chat_message","data":{}}', /Unknown message type/],
    ['an unknown presence', '{"type":"user_presence","data":"asleep"}', /data/],
    ['presence as an object', '{"type":"user_presence","data":{"status":"online"}}', /data/],
    ['no presence', '{"type":"user_presence"}', /data/],
    ['an unknown topic', '{"type":"subscribe","data":{"topics":["all"]}}', /topics/],
    [
      'too many topics',
      `{"type":"subscribe","data":{"topics":${JSON.stringify(Array(500).fill('logs'))}}}`,
      /topics/,
    ],
    ['a request without id', '{"type":"request","data":{"verb":"status"}}', /id/],
    ['a request without verb', '{"type":"request","data":{"id":"1"}}', /verb/],
    [
      'a request whose arguments are a list',
      '{"type":"request","data":{"id":"1","verb":"status","args":[1]}}',
      /args/,
    ],
    ['a prototype', '{"type":"__proto__","__proto__":{"type":"ping"}}', /Unknown message type/],
    ['a binary frame', Buffer.from('{"type":"ping"}'), /binary/],
    ['endlessly nested JSON', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, /Invalid message format/],
  ];

  for (const [name, sent, words] of BAD) {
    test(name, async (cleanup) => {
      const world = await MonitorWorld.open(cleanup);
      const client = await world.operator();
      client.socket.send(sent);
      expect((await client.heard('error')).data?.error).toMatch(words);
      await isAlive(client);
      expect(client.all('error')).toHaveLength(1);
    });
  }
});

describe('ends the connection, and no other client notices', () => {
  test('a frame of 10 MB: 1009', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const [abuser, other] = [await world.operator('abuser'), await world.operator()];
    abuser.say('x'.repeat(10 * MIB));
    expect((await abuser.closed).code).toBe(1009);
    await isAlive(other);
    await until(
      () => world.server.counts().connected === 1,
      () => 'the abuser to be gone',
    );
  });

  test('1 000 frames at once: 4008, after the first were answered', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const [abuser, other] = [await world.operator('abuser'), await world.operator()];
    for (let count = 0; count < 1_000; count++) abuser.say({ type: 'ping' });
    expect((await abuser.closed).code).toBe(4008);
    // The rate lets some more through while they come in.
    expect(abuser.all('pong').length).toBeLessThan(120);
    await isAlive(other);
    expect(world.log.lines).toEqual(['WARN Monitor clients were cut off']);
  });

  test("1 000 of the protocol's own pings at once", async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const [abuser, other] = [await world.operator('abuser'), await world.operator()];
    for (let count = 0; count < 1_000; count++) abuser.socket.ping();
    await abuser.closed;
    await isAlive(other);
  });

  test('a client that does not read is cut off, and frames to others are not delayed', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const [sleeper, other] = [await world.operator('sleeper'), await world.operator()];
    sleeper.socket.pause();
    const content = 'x'.repeat(MIB);
    const chat = { conversationId: 'c', content, sender: 's', timestamp: '' };
    for (let count = 0; count < 60 && world.server.counts().connected > 1; count++) {
      world.server.broadcastChatMessage({ ...chat, messageId: String(count) });
      await other.heard('chat_message', ({ data }) => data?.messageId === String(count));
    }
    expect(world.server.counts().connected).toBe(1);
    await isAlive(other);
  });

  test('a broken WebSocket frame', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const [abuser, other] = [await world.operator('abuser'), await world.operator()];
    const raw = (abuser.socket as unknown as { _socket: NodeJS.WritableStream })._socket;
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await abuser.closed;
    await isAlive(other);
  });
});

test('of 500 connections 100 are accepted, the others are told to retry later: 1013', async (cleanup) => {
  const world = await MonitorWorld.open(cleanup);
  const token = await world.token();
  const clients: WatchingClient[] = [];
  for (let wave = 0; wave < 10; wave++) {
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => world.connect(token)))));
  }
  await until(
    () => clients.filter(({ isClosed }) => isClosed).length === 400,
    () => `400 to be closed, not ${clients.filter(({ isClosed }) => isClosed).length}`,
  );
  const closed = await Promise.all(clients.filter(({ isClosed }) => isClosed).map((client) => client.closed));
  expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1013]));
  expect(world.server.counts()).toEqual({ connected: 100, authenticated: 100 });
  for (const client of clients.filter(({ isClosed }) => !isClosed).slice(0, 3)) await isAlive(client);
});

test('clients without a token cannot keep operators out', async (cleanup) => {
  const world = await MonitorWorld.open(cleanup);
  const strangers = await Promise.all(Array.from({ length: 60 }, () => world.connect()));
  await until(
    () => strangers.filter(({ isClosed }) => isClosed).length === 40,
    () => '40 to be turned away',
  );
  const operator = await world.operator();
  await isAlive(operator);
});

test('requests of all clients together are bounded: the agent answers that it is busy', async (cleanup) => {
  let asked = 0;
  const world = await MonitorWorld.open(cleanup, { verbs: { count: () => ++asked } });
  const clients = await Promise.all(Array.from({ length: 10 }, (_, index) => world.operator(`user${index}`)));
  await Promise.all(
    clients.map(async (client) => {
      for (let id = 0; id < 50; id++)
        client.say({ type: 'request', data: { id: String(id), verb: 'count' } });
      await client.heard('response', ({ data }) => data?.id === '49');
    }),
  );
  const refused = clients
    .flatMap((client) => client.all('response'))
    .filter(({ data }) => data?.ok === false);
  expect(asked).toBeLessThan(400);
  expect(refused.length).toBe(500 - asked);
  expect(refused[0]?.data).toMatchObject({ error: { code: 'monitor_busy' } });
});
