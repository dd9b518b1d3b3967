import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  type ClientClock,
  type ConnectionState,
  MonitorClient,
  type MonitorClientOptions,
  MonitorError,
  type WebSocketConstructor,
} from '../../src/monitor-client/index.js';
import type { Cleanup } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { MonitorStage, TOKEN } from '../support/MonitorStage.js';
import { until } from '../support/until.js';

/** A stage, a client for it whose time the test moves, and every state that the client was in. */
async function play(
  { onTestFinished }: Cleanup,
  options: Partial<MonitorClientOptions> = {},
  stageOptions: Parameters<typeof MonitorStage.open>[0] = {},
) {
  const stage = await MonitorStage.open(stageOptions);
  const time = new FakeClock();
  const clock: ClientClock = {
    monotonic: () => time.monotonic(),
    after: (ms, run) => time.after(ms, run),
    chance: () => 0,
  };
  const client = new MonitorClient({
    ...{ url: stage.url, token: TOKEN, clock, WebSocket: WebSocket as unknown as WebSocketConstructor },
    ...options,
  });
  const states: ConnectionState[] = [];
  client.on('state', (state) => states.push(state));
  onTestFinished(async () => {
    client.close();
    await stage.close();
  });
  const is = (name: ConnectionState['name']) =>
    until(
      () => client.state.name === name,
      () => `${name}; it is ${JSON.stringify(client.state)}`,
    );
  const said = (type: string) => stage.said.filter((frame) => frame.type === type);
  const hears = (type: string, count = 1) =>
    until(
      () => said(type).length >= count,
      () => `${count} ${type}; said ${JSON.stringify(stage.said)}`,
    );
  return { stage, client, time, states, is, said, hears };
}

const waiting = (states: readonly ConnectionState[]) =>
  states.flatMap((state) => (state.name === 'waiting' ? [state] : []));

describe('connecting', () => {
  test('a client that is admitted sends its subscriptions and its presence', async (cleanup) => {
    const { client, is, hears, said, stage } = await play(cleanup, { topics: ['link'], presence: 'busy' });
    client.connect();
    await is('online');
    expect(client.state).toEqual({ name: 'online', userId: 'ada' });
    await hears('user_presence');
    expect(said('subscribe')).toEqual([{ type: 'subscribe', data: { topics: ['link'] } }]);
    expect(said('user_presence')).toEqual([{ type: 'user_presence', data: 'busy' }]);
    expect(stage.tokens).toEqual([TOKEN]);
  });

  test('connecting twice makes one connection', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    client.connect();
    client.connect();
    await is('online');
    client.connect();
    expect(stage.tokens).toHaveLength(1);
  });

  test('a refused token is final, as there is no other', async (cleanup) => {
    const { client, is, time, stage } = await play(cleanup, { token: 'forged' });
    client.connect();
    await is('refused');
    expect(client.state).toEqual({ name: 'refused', why: 'The token is not valid' });
    await time.advanceAsync(3_600_000);
    expect(stage.tokens).toEqual(['forged']);
  });

  test('a client that can get another token retries with it', async (cleanup) => {
    const tokens = ['stale', TOKEN];
    const { client, is, time, stage } = await play(cleanup, { token: async () => tokens.shift() ?? '' });
    client.connect();
    await is('waiting');
    await time.advanceAsync(10_000);
    await is('online');
    expect(stage.tokens).toEqual(['stale', TOKEN]);
  });

  test('where no token can be had, that is the reason given, and it is retried', async (cleanup) => {
    let calls = 0;
    const token = () => {
      calls += 1;
      if (calls === 1) throw new Error('No edge-agent is running');
      return TOKEN;
    };
    const { client, is, time, states } = await play(cleanup, { token });
    client.connect();
    await is('waiting');
    expect(waiting(states)).toMatchObject([{ why: 'No edge-agent is running' }]);
    await time.advanceAsync(10_000);
    await is('online');
  });

  test('an invalid URL is reported at once', () => {
    expect(() => new MonitorClient({ url: 'somewhere', token: '' })).toThrow(TypeError);
  });
});

describe('losing the connection', () => {
  test('it is restored, with the last presence and topics', async (cleanup) => {
    const { client, is, time, hears, said, stage } = await play(cleanup, { topics: ['link'] });
    client.connect();
    await is('online');
    client.setPresence('away');
    client.subscribe(['logs']);
    await hears('subscribe', 2);
    stage.drop();
    await is('waiting');
    await time.advanceAsync(10_000);
    await is('online');
    await hears('subscribe', 3);
    expect(said('subscribe').at(-1)?.data).toEqual({ topics: ['logs'] });
    expect(said('user_presence').at(-1)?.data).toBe('away');
  });

  test('each failed attempt is followed by a longer wait, up to a limit; a connection that held resets it', async (cleanup) => {
    const { client, is, time, states, stage } = await play(cleanup);
    const { port } = stage;
    client.connect();
    await is('online');
    await stage.close();
    const failed = (count: number) =>
      until(
        () => waiting(states).length === count,
        () => `${count} failures`,
      );
    const retry = () => time.advanceAsync(waiting(states).at(-1)?.retryMs ?? 0);
    for (let failures = 1; failures <= 7; failures += 1) {
      await failed(failures);
      if (failures < 7) await retry();
    }
    expect(waiting(states).map(({ retryMs }) => retryMs)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
    const again = await MonitorStage.open({ port });
    cleanup.onTestFinished(() => again.close());
    await retry();
    await is('online');
    await time.advanceAsync(6_000);
    again.drop(1001);
    await is('waiting');
    expect(client.state).toMatchObject({ attempt: 1, retryMs: 250, why: 'The agent stops' });
  });

  test('an agent that has too many requests is left alone for at least 10 s', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    client.connect();
    await is('online');
    stage.drop(4008);
    await is('waiting');
    expect(client.state).toMatchObject({ retryMs: 10_000, why: 'Too many frames were sent' });
  });

  test('a token that has expired ends the session, as there is no other', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    client.connect();
    await is('online');
    stage.drop(4001);
    await is('refused');
  });

  test('an agent that accepts connections and sends nothing is given up after 10 s', async (cleanup) => {
    const { client, time, stage } = await play(cleanup);
    stage.speaks = false;
    client.connect();
    await until(
      () => stage.connections === 1,
      () => 'the connection',
    );
    await time.advanceAsync(10_000);
    expect(client.state).toMatchObject({ name: 'waiting', why: 'The agent does not answer' });
  });

  test('an agent that falls silent is pinged, and given up when it does not respond', async (cleanup) => {
    const { client, is, time, hears, states } = await play(cleanup);
    client.connect();
    await is('online');
    await time.advanceAsync(35_000);
    await hears('ping');
    expect(client.state.name).toBe('online');
    await time.advanceAsync(15_000);
    expect(waiting(states)).toMatchObject([{ why: 'The agent does not answer' }]);
  });

  test('an agent that sends something now and then is kept', async (cleanup) => {
    const { client, is, time, stage, hears } = await play(cleanup);
    client.connect();
    await is('online');
    for (let minutes = 1; minutes <= 3; minutes += 1) {
      await time.advanceAsync(30_000);
      stage.say('ping');
      await hears('pong', minutes);
    }
    expect(client.state.name).toBe('online');
  });

  test('asked to connect while it waits, it does so now', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    client.connect();
    await is('online');
    stage.drop();
    await is('waiting');
    client.connect();
    await is('online');
  });
});

describe('closing', () => {
  test('nothing is retried any more, and no timer is left', async (cleanup) => {
    const { client, is, time, stage } = await play(cleanup);
    client.connect();
    await is('online');
    client.close();
    await until(
      () => stage.connections === 0,
      () => 'the end of the connection',
    );
    await time.advanceAsync(3_600_000);
    expect([client.state.name, time.pending, stage.tokens.length]).toEqual(['idle', 0, 1]);
    client.connect();
    await is('online');
  });

  test('closed while a token is being fetched, it stays closed', async (cleanup) => {
    let give: (token: string) => void = () => undefined;
    const token = () => new Promise<string>((resolve) => (give = resolve));
    const { client, time, stage } = await play(cleanup, { token });
    client.connect();
    await until(
      () => client.state.name === 'connecting',
      () => 'the attempt',
    );
    await time.advanceAsync(0);
    client.close();
    give(TOKEN);
    await time.advanceAsync(60_000);
    expect([client.state.name, stage.tokens]).toEqual(['idle', []]);
  });
});

describe('receiving', () => {
  test('each frame reaches the listeners for its type, with its data', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    const heard: unknown[] = [];
    client.on('agent_status', (data) => heard.push(data));
    client.on('notification', (data) => heard.push(data));
    const end = client.on('user_presence', (data) => heard.push(data));
    client.connect();
    await is('online');
    const status = { agentName: 'edge_1', state: 'idle' };
    const notification = { level: 'info', message: 'hello' };
    end();
    stage.say('user_presence', { userId: 'bob', status: 'away' });
    stage.say('agent_status', status);
    stage.say('notification', notification);
    await until(
      () => heard.length === 2,
      () => JSON.stringify(heard),
    );
    expect(heard).toEqual([status, notification]);
  });

  test('what is no frame, of a newer type or without required fields is skipped', async (cleanup) => {
    const { client, is, stage } = await play(cleanup);
    const heard: unknown[] = [];
    client.on('agent_status', (data) => heard.push(data));
    client.connect();
    await is('online');
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"type":"__proto__"}',
      '{"type":"of a newer agent","data":1}',
    ]) {
      stage.sayAsIs(text);
    }
    stage.sayAsIs('{"type":"agent_status","data":{"agentName":7}}');
    stage.sayAsIs(Buffer.from([0, 255]));
    stage.say('agent_status', { agentName: 'edge_1', state: 'idle' });
    await until(
      () => heard.length > 0,
      () => 'the good one',
    );
    expect([heard.length, client.state.name]).toEqual([1, 'online']);
  });
});

describe('requests', () => {
  test('the answer is the one to the request, whatever arrives first', async (cleanup) => {
    const plays = { 'commands.list': ({ limit }: Record<string, unknown>) => [limit] };
    const { client, is } = await play(cleanup, {}, { plays });
    client.connect();
    await is('online');
    const answers = [1, 2, 3].map((limit) => client.request('commands.list', { limit }));
    expect(await Promise.all(answers)).toEqual([[1], [2], [3]]);
  });

  test('an error has its code and a remedy', async (cleanup) => {
    const plays = {
      status: () => {
        throw new Error('the disk is full');
      },
    };
    const { client, is } = await play(cleanup, {}, { plays });
    client.connect();
    await is('online');
    const fault = client.request('status', {});
    await expect(fault).rejects.toBeInstanceOf(MonitorError);
    await expect(fault).rejects.toMatchObject({ code: 'internal', remedy: 'Try again.' });
  });

  test('no request stays open: not unsent, not unanswered, not over a lost connection', async (cleanup) => {
    const { client, is, time, stage, hears } = await play(cleanup);
    await expect(client.request('status', {})).rejects.toMatchObject({ code: 'disconnected' });
    client.connect();
    await is('online');
    const unanswered = expect(client.request('status', {})).rejects.toMatchObject({ code: 'no_answer' });
    await hears('request');
    await time.advanceAsync(10_000);
    await unanswered;
    const lost = expect(client.request('status', {})).rejects.toMatchObject({ code: 'disconnected' });
    await hears('request', 2);
    stage.drop();
    await lost;
  });
});
