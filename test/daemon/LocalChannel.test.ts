import { expect, onTestFinished, test } from 'vitest';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { makeToken } from '../../src/monitor/tokens.js';
import { agentInProcess } from '../support/agentInProcess.js';
import { WatchingClient } from '../support/WatchingClient.js';

/** An agent in this process with its channel open, and its clients. */
function embedded() {
  const { agent, state } = agentInProcess({ EDGE_MONITOR_ENABLED: 'true', EDGE_MONITOR_PORT: '0' });
  const client = async (user?: string) => {
    const key = MonitorSecret.in(state).key();
    const claims = { use: 'session', user: user ?? '', ttlMs: 3_600_000, now: Date.now() } as const;
    const token = user === undefined ? 'none' : await makeToken(key, claims);
    const port = agent.snapshot().monitor.port;
    const connected = await WatchingClient.open(`ws://127.0.0.1:${port}/ws?token=${token}`);
    onTestFinished(() => connected.close());
    await connected.heard('auth');
    return connected;
  };
  return { agent, client };
}

const MESSAGE = {
  conversationId: 'conv-123',
  messageId: 'msg-456',
  content: 'Analysis complete!',
  sender: 'CLOUD_ASSISTANT',
  timestamp: '2026-01-01T00:00:00.000Z',
};

test('a program sends to everyone or to one user, and counts who is connected', async () => {
  const { agent, client } = embedded();
  await agent.start();
  const [ann, bob] = [await client('ann'), await client('bob')];
  const stranger = await client();
  expect(agent.channel.getClientsCount()).toBe(3);
  expect(agent.channel.getAuthenticatedClientsCount()).toBe(2);
  agent.channel.broadcastAgentStatus({ agentName: 'CLOUD_ASSISTANT', state: 'working', progress: 50 });
  agent.channel.broadcastChatMessage(MESSAGE);
  agent.channel.sendNotification('error', 'Task failed', 'bob');
  agent.channel.sendNotification('success', 'All tests passed!');
  for (const watcher of [ann, bob]) {
    await watcher.heard('agent_status', ({ data }) => data?.agentName === 'CLOUD_ASSISTANT');
    expect((await watcher.heard('chat_message')).data).toEqual(MESSAGE);
    await watcher.heard('notification', ({ data }) => data?.message === 'All tests passed!');
  }
  const failed = ({ data }: { data?: Record<string, unknown> }) => data?.message === 'Task failed';
  expect(bob.all('notification').filter(failed)).toHaveLength(1);
  expect(ann.all('notification').filter(failed)).toEqual([]);
  await stranger.caughtUp();
  for (const type of ['agent_status', 'chat_message', 'notification']) expect(stranger.all(type)).toEqual([]);
});

test('before the start and after the stop nothing is sent, and nothing fails', async () => {
  const { agent } = embedded();
  const say = () => agent.channel.sendNotification('info', 'hello');
  say();
  await agent.start();
  await agent.stop();
  say();
  expect(agent.channel.getClientsCount()).toBe(0);
});

test('an invalid value is refused with its field named', async () => {
  const { agent } = embedded();
  const wrong = JSON.parse('{"agentName":"x","state":"busy"}');
  expect(() => agent.channel.broadcastAgentStatus(wrong)).toThrowError(/at state/);
  expect(() => agent.channel.broadcastChatMessage({ ...MESSAGE, timestamp: 'noon' })).toThrowError(
    /at timestamp/,
  );
});
