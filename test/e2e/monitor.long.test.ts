import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MonitorSecret } from '../../src/monitor/MonitorSecret.js';
import { makeToken } from '../../src/monitor/tokens.js';
import { type Cleanup, EdgeWorld, OWN, PERSON } from '../support/EdgeWorld.js';
import { runCli } from '../support/runCli.js';
import { type Frame, WatchingClient } from '../support/WatchingClient.js';

const SERVED = { 'monitor.enabled': true, 'monitor.port': 0 };

async function served(cleanup: Cleanup, settings: Record<string, unknown> = {}) {
  const world = await EdgeWorld.open(cleanup, { settings: { ...SERVED, ...settings } });
  const daemon = await world.start();
  const port = (await daemon.status()).snapshot?.monitor.port ?? 0;
  const cli = (...args: string[]) => runCli(args, world.place);
  const watch = async (user = 'ann') => {
    const key = MonitorSecret.in(world.state).key();
    const token = await makeToken(key, { use: 'session', user, ttlMs: 3_600_000, now: Date.now() });
    const client = await WatchingClient.open(`ws://127.0.0.1:${port}/ws?token=${token}`);
    cleanup.onTestFinished(() => client.close());
    await client.heard('auth');
    return client;
  };
  return { world, daemon, port, cli, watch };
}

const content = ({ data }: Frame) => data?.content;

test('a client sees texts come and go, the command behind them, and what the agent does', async (cleanup) => {
  const { world, watch } = await served(cleanup);
  const client = await watch();
  client.say({ type: 'subscribe', data: { topics: ['commands', 'sends', 'logs', 'queues'] } });
  expect((await client.heard('snapshot')).data?.status).toMatchObject({ state: 'healthy' });
  world.mac.chatDb.receive({ from: PERSON, text: 'what shall I wear? 👗' });
  const incoming = await client.heard('chat_message', (frame) => content(frame) === 'what shall I wear? 👗');
  expect(incoming.data).toMatchObject({ conversationId: PERSON, sender: PERSON });
  const answer = await client.heard('chat_message', ({ data }) => data?.sender !== PERSON);
  expect(answer.data).toMatchObject({ conversationId: PERSON, content: expect.any(String) });
  const received = await client.heard(
    'event',
    ({ data }) => data?.topic === 'commands' && data.stage === 'received',
  );
  await client.heard(
    'event',
    ({ data }) => data?.commandId === received.data?.commandId && data?.stage === 'completed',
  );
  await client.heard('agent_status', ({ data }) => data?.state === 'working');
  await client.heard('agent_status', ({ data }) => data?.state === 'idle');
  const [listed] = (await client.ask('commands.list')).result as { command_id: string }[];
  expect(listed?.command_id).toBe(received.data?.commandId);
  expect(await client.ask('commands.show', { id: listed?.command_id })).toMatchObject({ ok: true });
});

test('what a user writes from another device is reported as the operator’s, and is in the conversation', async (cleanup) => {
  const { world, watch } = await served(cleanup);
  const client = await watch();
  world.mac.chatDb.receive({ from: PERSON, text: 'help' });
  await client.heard('chat_message', (frame) => String(content(frame)).includes('you said'));
  world.mac.chatDb.writeSent({ handle: PERSON, text: 'I take it from here' });
  const { data } = await client.heard('chat_message', ({ data }) => data?.sender === 'operator');
  expect(data).toMatchObject({ conversationId: PERSON, content: 'I take it from here' });
  const said = async (texts: boolean) => {
    const { result } = await client.ask('conversations', { texts });
    const [{ messages }] = result as [{ messages: Record<string, unknown>[] }];
    return messages.filter(({ sender }) => sender === 'operator');
  };
  const told = { id: data?.messageId, direction: 'out', characters: 19 };
  expect(await said(true)).toMatchObject([{ ...told, text: 'I take it from here' }]);
  expect(await said(false)).toMatchObject([{ ...told, text: null }]);
});

test('nothing but chat_message, and conversations where requested, carries a text or a full number', async (cleanup) => {
  const { world, watch } = await served(cleanup);
  const client = await watch();
  client.say({ type: 'subscribe', data: { topics: ['commands', 'sends', 'logs', 'queues', 'schedule'] } });
  world.mac.chatDb.receive({ from: PERSON, text: 'a very private matter' });
  await client.heard('chat_message', ({ data }) => String(data?.content).includes('you said'));
  for (const verb of [
    'status',
    'queue.list',
    'schedule.list',
    'sends.statistics',
    'logs.tail',
    'link.history',
  ]) {
    await client.ask(verb);
  }
  const told = client.frames.filter(({ type }) => type !== 'chat_message');
  expect(JSON.stringify(told)).not.toMatch(/private matter/);
  expect(JSON.stringify(told)).not.toContain(PERSON);
  const hidden = JSON.stringify((await client.ask('conversations')).result);
  expect(hidden).not.toContain('private matter');
  expect(hidden).toContain('+1•••1234');
  const [conversation] = (await client.ask('conversations', { texts: true })).result as {
    messages: { text: string; direction: string }[];
  }[];
  expect(conversation?.messages[0]).toMatchObject({ direction: 'in', text: 'a very private matter' });
  expect(conversation?.messages.at(-1)).toMatchObject({ direction: 'out' });
});

test('sending is paused and resumed by a request; every client is notified', async (cleanup) => {
  const { daemon, watch } = await served(cleanup);
  const [ann, bob] = [await watch('ann'), await watch('bob')];
  expect(await ann.ask('pause')).toMatchObject({ ok: true, result: { conversation: '*', changed: true } });
  await bob.heard('agent_status', ({ data }) => data?.state === 'stopped');
  await bob.heard('notification', ({ data }) => data?.message === 'ann paused sending.');
  await bob.heard(
    'notification',
    ({ data }) => data?.level === 'error' && /paused/.test(String(data.message)),
  );
  expect((await daemon.status()).snapshot?.monitor).toMatchObject({ connected: 2, authenticated: 2 });
  expect(await bob.ask('resume')).toMatchObject({ result: { resumed: ['*'] } });
  await ann.heard('agent_status', ({ data }) => data?.state === 'idle');
  await daemon.line('An operator acted through the monitor');
});

test('a failed command causes a notification', async (cleanup) => {
  const { world, watch } = await served(cleanup);
  const client = await watch();
  world.backend.pushCommand({ command_type: 'no_such_type', payload: {} });
  expect((await client.heard('notification')).data).toMatchObject({
    level: 'warning',
    message: expect.stringMatching(/^Command \S+ failed: unknown_command$/),
  });
});

test('the history of the link survives a restart', async (cleanup) => {
  const { world, daemon, watch } = await served(cleanup);
  const before = await watch();
  const first = (await before.ask('link.history')).result as { changes: { state: string }[] };
  expect(first.changes.at(-1)?.state).toBe('realtime');
  await daemon.kill('SIGTERM');
  expect((await before.closed).code).toBe(1001);
  const again = await world.start();
  const port = (await again.status()).snapshot?.monitor.port;
  const { stdout } = await runCli(['monitor', 'token'], world.place);
  const client = await WatchingClient.open(`ws://localhost:${port}/ws?token=${stdout.trim()}`);
  cleanup.onTestFinished(() => client.close());
  const states = ((await client.ask('link.history')).result as typeof first).changes.map(
    ({ state }) => state,
  );
  expect(states.slice(0, first.changes.length)).toEqual(first.changes.map(({ state }) => state));
  expect(states).toContain('stopped');
  expect(states.at(-1)).toBe('realtime');
});

test('a port in use is reported in the status and stops nothing', async (cleanup) => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  cleanup.onTestFinished(() => void squatter.close());
  const { port } = squatter.address() as { port: number };
  const world = await EdgeWorld.open(cleanup, {
    settings: { 'monitor.enabled': true, 'monitor.port': port },
  });
  const daemon = await world.start();
  const { exitCode, snapshot } = await daemon.status();
  expect(exitCode).toBe(4);
  expect(snapshot?.monitor.port).toBeNull();
  expect(snapshot?.problems.map(({ code }) => code)).toEqual(['monitor_unavailable']);
  world.mac.chatDb.receive({ from: PERSON, text: 'still there?' });
  await world.sent(1);
  const open = await runCli(['monitor', 'open', '--print'], world.place);
  expect(open.exitCode).toBe(1);
  expect(open.stderr).toContain('The monitor is not served');
});

test('switched off, nothing listens and status says so', async (cleanup) => {
  const world = await EdgeWorld.open(cleanup);
  const daemon = await world.start();
  expect((await daemon.status()).snapshot?.monitor).toEqual({ port: null, connected: 0, authenticated: 0 });
});

test('on a Mac the link is passed to the browser in a private file, not in the process list, and a browser that does not open is reported', async (cleanup) => {
  const { world, port } = await served(cleanup);
  const programs = join(world.directory, 'programs');
  mkdirSync(programs);
  const place = { ...world.place, env: { ...world.place.env, STAND_IN_PROGRAMS: programs } };
  const play = (body: string) =>
    writeFileSync(join(programs, 'open'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  const opened = join(world.directory, 'opened');
  play(`echo "$*" > '${opened}'`);
  expect(await runCli(['monitor', 'open'], place)).toEqual({
    exitCode: 0,
    stdout: `Opened in the browser of this Mac: http://127.0.0.1:${port}\n`,
    stderr: '',
  });
  const page = readFileSync(opened, 'utf8').trim();
  expect(page).toBe(join(world.state, 'monitor-open.html'));
  expect(statSync(page).mode & 0o777).toBe(0o600);
  expect(readFileSync(page, 'utf8')).toContain(`http://127.0.0.1:${port}/#token=`);
  play('exit 1');
  expect(await runCli(['monitor', 'open'], place)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/open ended with 1\.\n.*monitor open --print\n$/),
  });
});

test('the verbs: a link that is exchanged, a token that expires, a rotation', async (cleanup) => {
  const { world, daemon, port, cli, watch } = await served(cleanup);
  expect(statSync(join(world.state, 'monitor-secret')).mode & 0o777).toBe(0o600);
  const { stdout } = await cli('monitor', 'open', '--print', '--user', 'ann');
  const url = new URL(stdout.trim());
  expect(`${url.origin}${url.pathname}`).toBe(`http://127.0.0.1:${port}/`);
  const link = url.hash.replace('#token=', '');
  const answer = await fetch(`${url.origin}/session`, {
    method: 'POST',
    headers: { authorization: `Bearer ${link}` },
  });
  expect(await answer.json()).toMatchObject({ userId: 'ann' });

  const short = (await cli('monitor', 'token', '--ttl', '2s')).stdout.trim();
  const client = await WatchingClient.open(`ws://127.0.0.1:${port}/ws?token=${short}`);
  cleanup.onTestFinished(() => client.close());
  expect((await client.closed).code).toBe(4001);

  const open = await watch();
  const rotated = await cli('monitor', 'rotate');
  expect(rotated.stdout).toBe('The secret of the monitor was rotated; 1 session ended.\n');
  expect((await open.closed).code).toBe(4001);
  expect((await (await watch()).heard('auth')).data).toMatchObject({ success: true });

  await daemon.kill('SIGTERM');
  expect((await cli('monitor', 'rotate')).exitCode).toBe(0);
  expect((await cli('monitor', 'token')).stdout.split('.')).toHaveLength(3);
  expect((await cli('monitor', 'open')).exitCode).toBe(3);
  for (const wrong of [
    ['--ttl', 'soon'],
    ['--ttl', '0s'],
    ['--ttl', '365d'],
    ['--user', 'a b'],
  ]) {
    expect((await cli('monitor', 'token', ...wrong)).exitCode).toBe(2);
  }
  expect(daemon.lines().join('\n')).not.toMatch(/eyJ/);
  expect(daemon.lines().join('\n')).not.toContain(OWN);
});
