import { describe, expect, test } from 'vitest';
import { EdgeError } from '../../src/errors.js';
import type { AgentStatus } from '../../src/model/monitorFrames.js';
import type { Cleanup } from '../support/EdgeWorld.js';
import { IDLE, MonitorWorld } from '../support/MonitorWorld.js';
import { statusFixture } from '../support/statusFixture.js';
import { until } from '../support/until.js';

const open = (cleanup: Cleanup) =>
  MonitorWorld.open(cleanup, {
    verbs: {
      echo: (input, userId) => ({ input, userId }),
      refuse: () => {
        throw new EdgeError('command_unknown', 'There is no command x.', 'List them.');
      },
    },
  });

const STATUS = { agentName: 'edge_1', state: 'working', currentTask: 'Sending', progress: 45 } as const;
const CHAT = {
  conversationId: '+13105551234',
  messageId: 'msg-456',
  content: 'Task completed 🎉',
  sender: 'edge_1',
  timestamp: '2026-12-26T13:00:00.000Z',
};

describe('frames from the server', () => {
  test('auth is the first one, and names the user', async (cleanup) => {
    const world = await open(cleanup);
    const client = await world.operator('ann');
    expect(client.frames[0]).toMatchObject({ type: 'auth', data: { success: true, userId: 'ann' } });
  });

  test('each has the time at which it was sent', async (cleanup) => {
    const world = await open(cleanup);
    const client = await world.operator();
    await client.caughtUp();
    for (const { timestamp } of client.frames) expect(new Date(timestamp).toISOString()).toBe(timestamp);
  });

  test('the agent’s activity is sent at once to a new client, and to all when it changes', async (cleanup) => {
    const world = await open(cleanup);
    const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
    expect((await ann.heard('agent_status')).data).toEqual(IDLE);
    world.server.broadcastStatus(STATUS);
    for (const client of [ann, bob]) {
      expect((await client.heard('agent_status', ({ data }) => data?.state === 'working')).data).toEqual(
        STATUS,
      );
    }
  });

  test('the agent’s activity is sent once to a new client, even if it changed just then', async (cleanup) => {
    let count = 0;
    const world: MonitorWorld = await MonitorWorld.open(cleanup, {
      agentStatus: () => {
        const status: AgentStatus = { agentName: 'edge_1', state: 'working', progress: count++ };
        world.server.broadcastStatus(status);
        return status;
      },
    });
    const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
    world.server.sendNotification('info', 'the last');
    for (const client of [ann, bob]) await client.heard('notification');
    const told = (client: typeof ann) => client.all('agent_status').map(({ data }) => data?.progress);
    expect([told(ann), told(bob)]).toEqual([[0, 1], [1]]);
  });

  test('a store that cannot be read when a client connects ends neither the agent nor the connection', async (cleanup) => {
    const world = await MonitorWorld.open(cleanup, {
      agentStatus: () => {
        throw new Error('database disk image is malformed');
      },
    });
    const ann = await world.operator('ann');
    await ann.caughtUp();
    expect(ann.frames.map(({ type }) => type)).toEqual(['auth', 'pong']);
    expect(world.watched).toEqual([true]);
  });

  test('a text is sent to all as it is', async (cleanup) => {
    const world = await open(cleanup);
    const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
    world.server.broadcastChatMessage(CHAT);
    for (const client of [ann, bob]) expect((await client.heard('chat_message')).data).toEqual(CHAT);
  });

  test('a notification is sent to everyone, or to all connections of one user', async (cleanup) => {
    const world = await open(cleanup);
    const [ann, tab, bob] = [
      await world.operator('ann'),
      await world.operator('ann'),
      await world.operator('bob'),
    ];
    world.server.sendNotification('error', 'only for ann', 'ann');
    for (const level of ['info', 'success', 'warning', 'error'] as const)
      world.server.sendNotification(level, level);
    for (const client of [ann, tab, bob])
      await client.heard('notification', ({ data }) => data?.message === 'error');
    const all = ['info', 'success', 'warning', 'error'].map((level) => ({ level, message: level }));
    const first = { level: 'error', message: 'only for ann' };
    expect(ann.all('notification').map(({ data }) => data)).toEqual([first, ...all]);
    expect(tab.all('notification').map(({ data }) => data)).toEqual([first, ...all]);
    expect(bob.all('notification').map(({ data }) => data)).toEqual(all);
  });

  test('many at once arrive in order, each once', async (cleanup) => {
    const world = await open(cleanup);
    const clients = await Promise.all(
      Array.from({ length: 25 }, (_, index) => world.operator(`user${index}`)),
    );
    for (let index = 0; index < 200; index++) {
      world.server.broadcastChatMessage({ ...CHAT, messageId: String(index) });
      if (index === 100) await clients[0]?.caughtUp();
    }
    const wanted = Array.from({ length: 200 }, (_, index) => String(index));
    for (const client of clients) {
      await client.heard('chat_message', ({ data }) => data?.messageId === '199');
      expect(client.all('chat_message').map(({ data }) => data?.messageId)).toEqual(wanted);
    }
  });
});

describe('frames from clients', () => {
  test('a ping is answered by a pong, a pong by nothing', async (cleanup) => {
    const world = await open(cleanup);
    const client = await world.operator();
    client.say({ type: 'pong' });
    await client.caughtUp();
    expect(client.frames.map(({ type }) => type)).toEqual(['auth', 'agent_status', 'pong']);
  });

  test('a timestamp of their own is ignored', async (cleanup) => {
    const world = await open(cleanup);
    const client = await world.operator();
    client.say({ type: 'ping', timestamp: 'yesterday' });
    await client.heard('pong');
  });

  test.for(['online', 'away', 'busy', 'offline'] as const)(
    'presence %s is sent to all',
    async (status, cleanup) => {
      const world = await open(cleanup);
      const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
      ann.say({ type: 'user_presence', data: status });
      for (const client of [ann, bob]) {
        expect((await client.heard('user_presence')).data).toEqual({ userId: 'ann', status });
      }
    },
  );

  test('a user who disconnects is offline, but only with the last tab', async (cleanup) => {
    const world = await open(cleanup);
    const bob = await world.operator('bob');
    const [tab, other] = [await world.operator('ann'), await world.operator('ann')];
    tab.say({ type: 'user_presence', data: 'busy' });
    await bob.heard('user_presence', ({ data }) => data?.status === 'busy');
    tab.close();
    await bob.heard('user_presence', ({ data }) => data?.status === 'online');
    other.close();
    await bob.heard('user_presence', ({ data }) => data?.status === 'offline');
    expect(bob.all('user_presence')).toHaveLength(3);
    expect(world.server.counts()).toEqual({ connected: 1, authenticated: 1 });
  });

  test('a user who reports to be offline is not among those who are present', async (cleanup) => {
    const world = await open(cleanup);
    const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
    ann.say({ type: 'user_presence', data: 'offline' });
    await bob.heard('user_presence');
    bob.say({ type: 'subscribe', data: { topics: ['link'] } });
    expect((await bob.heard('snapshot')).data?.presence).toEqual([{ userId: 'bob', status: 'online' }]);
  });

  test('a tab that is away does not hide one that is active', async (cleanup) => {
    const world = await open(cleanup);
    const [tab] = [await world.operator('ann'), await world.operator('ann')];
    tab.say({ type: 'user_presence', data: 'away' });
    expect((await tab.heard('user_presence')).data).toEqual({ userId: 'ann', status: 'online' });
  });

  test('a request is answered with its id, only if its verb is allowed', async (cleanup) => {
    const world = await open(cleanup);
    const client = await world.operator();
    expect(await client.ask('echo', { limit: 3 })).toMatchObject({
      ok: true,
      result: { input: { limit: 3 }, userId: 'ann' },
    });
    expect(await client.ask('refuse')).toMatchObject({
      ok: false,
      error: { code: 'command_unknown', message: 'There is no command x.', remedy: 'List them.' },
    });
    for (const verb of ['kick', 'constructor', '__proto__']) {
      expect(await client.ask(verb)).toMatchObject({ ok: false, error: { code: 'invalid_payload' } });
    }
  });

  test('a subscriber gets a snapshot, and the events of the requested topics', async (cleanup) => {
    const world = await open(cleanup);
    const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
    ann.say({ type: 'subscribe', data: { topics: ['commands', 'logs'] } });
    expect((await ann.heard('snapshot')).data).toEqual({
      status: statusFixture(),
      presence: [
        { userId: 'ann', status: 'online' },
        { userId: 'bob', status: 'online' },
      ],
    });
    world.server.publish({ topic: 'link', state: 'offline', detail: 'waiting' }, 0);
    world.server.publish(
      { topic: 'commands', commandId: 'cmd_1', commandType: 'kick', stage: 'received' },
      0,
    );
    world.server.publishSnapshot(statusFixture({ state: 'degraded' }));
    world.server.sendNotification('info', 'the last');
    await bob.heard('notification');
    await ann.heard('notification');
    expect(ann.all('event').map(({ data }) => data)).toEqual([
      {
        topic: 'commands',
        at: '1970-01-01T00:00:00.000Z',
        commandId: 'cmd_1',
        commandType: 'kick',
        stage: 'received',
      },
    ]);
    expect(ann.all('snapshot')).toHaveLength(2);
    expect([...bob.all('event'), ...bob.all('snapshot')]).toEqual([]);
    ann.say({ type: 'subscribe', data: { topics: [] } });
    await ann.caughtUp();
    world.server.publish({ topic: 'commands', commandId: 'c', commandType: 'kick', stage: 'received' }, 0);
    world.server.sendNotification('info', 'the very last');
    await ann.heard('notification', ({ data }) => data?.message === 'the very last');
    expect(ann.all('event')).toHaveLength(1);
  });
});

test('the first and the last subscriber are reported', async (cleanup) => {
  const world = await open(cleanup);
  await world.connect();
  expect(world.watched).toEqual([]);
  const [ann, bob] = [await world.operator('ann'), await world.operator('bob')];
  ann.close();
  bob.close();
  await until(
    () => world.watched.length > 1,
    () => 'the last to go',
  );
  expect(world.watched).toEqual([true, false]);
  expect(world.server.isWatched).toBe(false);
});

test('an agent that stops sends its last frames and closes with 1001', async (cleanup) => {
  const world = await open(cleanup);
  const client = await world.operator();
  world.server.broadcastStatus({ agentName: 'edge_1', state: 'stopped' });
  await world.server.stop();
  expect(await client.closed).toEqual({ code: 1001, reason: 'The agent stops' });
  expect(client.frames.at(-1)?.data).toEqual({ agentName: 'edge_1', state: 'stopped' });
});
