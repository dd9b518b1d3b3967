import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { isLocal } from '../../src/monitor/origin.js';
import { makeToken } from '../../src/monitor/tokens.js';
import { MonitorWorld } from '../support/MonitorWorld.js';
import { statusFixture } from '../support/statusFixture.js';

const HOUR_MS = 3_600_000;
const soon = () => Math.floor(Date.now() / 1000) + 3_600;

type Forge = (key: Uint8Array) => Promise<string> | string;

const signed = (alg: string, claims: Record<string, unknown>): Forge => {
  return (key) => new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
};

const BAD_TOKENS: Record<string, Forge> = {
  'no token': () => '',
  'something else': () => 'abc123',
  'one of another secret': () =>
    makeToken(new Uint8Array(32), { use: 'session', user: 'ann', ttlMs: HOUR_MS, now: Date.now() }),
  'an expired one': (key) =>
    makeToken(key, { use: 'session', user: 'ann', ttlMs: HOUR_MS, now: Date.now() - 2 * HOUR_MS }),
  'one without signature (alg: none)': () => new UnsecuredJWT({ sub: 'ann', exp: soon() }).encode(),
  'one signed by another algorithm': signed('HS384', { sub: 'ann', exp: soon() }),
  'one that never ends': signed('HS256', { sub: 'ann' }),
  'one without a user': signed('HS256', { exp: soon() }),
  'one of somebody without a name': signed('HS256', { sub: 'a b\n', exp: soon() }),
  'one whose user is a number': signed('HS256', { sub: 5 as unknown as string, exp: soon() }),
  'one that is not valid yet': signed('HS256', { sub: 'ann', exp: soon(), nbf: soon() - 60 }),
  'one that stands in a link': (key) =>
    makeToken(key, { use: 'link', user: 'ann', ttlMs: HOUR_MS, now: Date.now() }),
  'one with a changed user': async (key) => {
    const [head, , signature] = (
      await makeToken(key, { use: 'session', user: 'ann', ttlMs: HOUR_MS, now: Date.now() })
    ).split('.');
    const claims = Buffer.from(JSON.stringify({ sub: 'root', exp: soon() })).toString('base64url');
    return `${head}.${claims}.${signature}`;
  },
};

describe('a client that presents', () => {
  for (const [name, forge] of Object.entries(BAD_TOKENS)) {
    test(`${name} may connect, and is sent nothing`, async (cleanup) => {
      const world = await MonitorWorld.open(cleanup, { verbs: { echo: () => 'secret' } });
      const stranger = await world.connect(await forge(world.secret.key()));
      const { data } = await stranger.heard('auth');
      expect(data).toEqual({ success: false, error: expect.any(String) });
      expect(world.server.counts()).toEqual({ connected: 1, authenticated: 0 });
      const operator = await world.operator();
      stranger.say({ type: 'user_presence', data: 'busy' });
      stranger.say({ type: 'subscribe', data: { topics: ['logs'] } });
      stranger.say({ type: 'request', data: { id: '1', verb: 'echo' } });
      world.server.broadcastStatus({ agentName: 'edge_1', state: 'working' });
      world.server.broadcastChatMessage({
        conversationId: '',
        messageId: '',
        content: '',
        sender: '',
        timestamp: '',
      });
      world.server.publish({ topic: 'logs', level: 'info', message: 'm', fields: {} }, 0);
      world.server.publishSnapshot(statusFixture());
      operator.say({ type: 'user_presence', data: 'away' });
      world.server.sendNotification('info', 'the last');
      await operator.heard('notification');
      await operator.heard('user_presence');
      await stranger.caughtUp();
      expect(new Set(stranger.frames.map(({ type }) => type))).toEqual(new Set(['auth', 'error', 'pong']));
      expect(stranger.all('error').map((frame) => frame.data?.error)).toEqual(
        Array(3).fill('Not authenticated'),
      );
    });
  }

  test('a token with `sub` and `exp` that the secret signed is admitted, whoever made it', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const token = await new SignJWT({ sub: 'bob@desk', exp: soon() })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(world.secret.key());
    const client = await world.connect(token);
    expect((await client.heard('auth')).data).toEqual({ success: true, userId: 'bob@desk' });
  });
});

describe('the secret', () => {
  test('is made at the first start, private to its owner, and stays', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const key = world.secret.key();
    expect(key).toHaveLength(32);
    expect(statSync(join(world.directory, 'monitor-secret')).mode & 0o777).toBe(0o600);
    expect(MonitorSecret.in(world.directory).key()).toEqual(key);
  });

  test('that is damaged is replaced, not trusted', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    writeFileSync(join(world.directory, 'monitor-secret'), '\n');
    expect(world.secret.key()).toHaveLength(32);
  });

  test('when rotated makes every token invalid and ends open connections', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const token = await world.token();
    const client = await world.operator();
    world.secret.rotate();
    expect(world.server.endSessions()).toBe(1);
    expect((await client.closed).code).toBe(4001);
    const again = await world.connect(token);
    expect((await again.heard('auth')).data).toMatchObject({ success: false });
    expect((await (await world.operator()).heard('auth')).data).toMatchObject({ success: true });
  });
});

describe('the origin of a connection', () => {
  const LOCAL = ['127.0.0.1:3100', '127.0.0.1', 'localhost:9999', 'LOCALHOST', '[::1]:3100'];
  const FOREIGN = [
    ...[
      'evil.example',
      'evil.example:3100',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '127.evil.example',
    ],
    ...['0.0.0.0:3100', '192.168.1.5:3100', '[::2]:3100', 'localhost:3100@evil.example', '', 'a127.0.0.1'],
  ];

  test.for(LOCAL)('Host %s is this machine', (host) => {
    expect(isLocal({ host })).toBe(true);
    expect(isLocal({ host: 'localhost', origin: `http://${host}` })).toBe(true);
  });

  test.for(FOREIGN)('Host %s is not', (host) => {
    expect(isLocal({ host })).toBe(false);
    expect(isLocal({ host: 'localhost', origin: `http://${host}` })).toBe(false);
  });

  test.for(['null', 'file://', 'chrome-extension://abc', 'https://evil.example', 'http://localhost/x@evil'])(
    'Origin %s is refused',
    (origin) => expect(isLocal({ host: 'localhost', origin })).toBe(false),
  );

  test('a foreign Origin or Host is refused before the token is looked at', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const token = await world.token();
    await expect(world.connect(token, { origin: 'https://evil.example' })).rejects.toThrow('HTTP 403');
    await expect(world.connect(token, { headers: { host: 'evil.example' } })).rejects.toThrow('HTTP 403');
    await world.connect(token, { origin: world.origin });
    await world.connect(token);
  });

  test('however often another site tries, clients of this machine are admitted', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const token = await world.token();
    for (let wave = 0; wave < 20; wave++) {
      const tries = Array.from({ length: 50 }, () =>
        world.connect(token, { origin: 'https://evil.example' }),
      );
      for (const tried of await Promise.allSettled(tries))
        expect(tried).toMatchObject({ reason: { message: 'HTTP 403' } });
    }
    await world.connect(token);
  });

  test('a WebSocket at another path is refused', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup);
    const { WatchingClient } = await import('../support/WatchingClient.js');
    await expect(WatchingClient.open(`ws://127.0.0.1:${world.server.port}/other`)).rejects.toThrow(
      'HTTP 404',
    );
  });
});
