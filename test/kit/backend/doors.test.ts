import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadPersona } from '../../../src/kit/backend/loadPersona.js';
import { echo, type PersonaContext } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import type { SimulatedBackendOptions } from '../../../src/kit/backend/SimulatedBackendOptions.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import {
  AGENT_ID,
  ack,
  freshToken,
  incoming,
  PHONE,
  PlainSocket,
  post,
  readJson,
  refusedUpgrade,
  SECRET,
} from './PlainAgent.js';

async function start(options: Partial<SimulatedBackendOptions> = {}): Promise<SimulatedBackend> {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo, ...options });
  onTestFinished(() => backend.stop());
  return backend;
}

describe('a backend that others can reach', () => {
  test.each(['0.0.0.0', '::', '192.0.2.7', 'backend.example.com'])(
    'does not listen on %s with no secret, the well-known one or a short one',
    async (host) => {
      for (const secret of ['', 'dev-secret', 'fifteen-letters'])
        await expect(start({ host, secret })).rejects.toMatchObject({ code: 'secret_missing' });
    },
  );

  test('listens with a secret of its own, and on loopback with any', async () => {
    const open = await start({ host: '0.0.0.0' });
    expect((await fetch(`${open.url}/health`)).status).toBe(200);
    for (const host of ['127.0.0.1', 'localhost']) {
      const closed = await start({ host, secret: 'dev-secret' });
      expect((await fetch(`${closed.url}/health`)).status).toBe(200);
    }
  });
});

test('a backend that others can reach accepts no short admin key or registration token either', async () => {
  const host = '0.0.0.0';
  for (const keys of [{ adminKey: 'x' }, { adminKey: 'dev-secret' }, { registrationToken: 'short' }])
    await expect(start({ host, ...keys })).rejects.toMatchObject({ code: 'secret_missing' });
});

describe('in production', () => {
  const production = true;
  const adminKey = 'the-key-of-the-operators';

  test.each([
    ['the well-known secret', { secret: 'dev-secret', adminKey }],
    ['a short secret', { secret: 'short', adminKey }],
    ['no admin key', {}],
    ['a short admin key', { adminKey: 'short' }],
    ['the secret as admin key', { adminKey: SECRET }],
    ['the secret as registration token', { adminKey, registrationToken: SECRET }],
  ])('it does not start with %s, not even on loopback', async (_what, keys) => {
    await expect(start({ production, ...keys })).rejects.toMatchObject({ code: 'secret_missing' });
  });

  test('the plain secret is no admin key', async () => {
    const backend = await start({ production, adminKey });
    const ask = { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi' };
    const send = (key: string) => post(backend, '/api/send-message', ask, { Authorization: `Bearer ${key}` });
    expect((await send(SECRET)).status).toBe(401);
    expect((await send(adminKey)).status).toBe(200);
  });
});

describe('the limit on requests', () => {
  const rate = { perSecond: 1, burst: 3 };

  test('slows one agent down with 429 and Retry-After, and no other', async () => {
    const clock = new FakeClock(Date.now());
    const backend = await start({ rate, clock });
    for (let nth = 1; nth <= 3; nth += 1) expect((await post(backend, '/edge/sync', {})).status).toBe(200);
    const refused = await post(backend, '/edge/sync', {});
    expect(refused).toMatchObject({ status: 429, body: { error: 'too_many_requests' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    const other = { 'X-Edge-Agent-Id': 'edge_2', Authorization: `Bearer ${freshToken('edge_2')}` };
    expect((await post(backend, '/edge/sync', {}, other)).status).toBe(200);
    clock.advance(1_000);
    expect((await post(backend, '/edge/sync', {})).status).toBe(200);
    expect((await post(backend, '/edge/sync', {})).status).toBe(429);
  });

  test('makes a caller who guesses at the secret wait, by HTTP and by socket', async () => {
    const backend = await start({ rate: { perSecond: 1, burst: 10 }, clock: new FakeClock(Date.now()) });
    const wrong = { Authorization: 'Bearer guess' };
    expect((await post(backend, '/edge/sync', {}, wrong)).status).toBe(403);
    expect((await post(backend, '/edge/sync', {}, wrong)).status).toBe(429);
    const headers = { Authorization: 'Bearer guess', 'X-Edge-Agent-Id': AGENT_ID };
    expect(await refusedUpgrade(backend.webSocketUrl, headers)).toEqual({ status: 429, retryAfter: '1' });
    expect((await fetch(`${backend.url}/health`)).status).toBe(429);
    expect(backend.journal.refusals).toHaveLength(1);
  });

  test('slows no agent down for strangers who flood from its address, such as that of a proxy', async () => {
    const backend = await start({
      ...{ rate: { perSecond: 1, burst: 10 }, adminKey: 'the-admin', clock: new FakeClock(Date.now()) },
    });
    const wrong = { Authorization: 'Bearer guess' };
    for (let nth = 0; nth < 5; nth += 1) await post(backend, '/edge/sync', {}, wrong);
    const ask = { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi' };
    for (const [path, body, headers] of [
      ['/edge/sync', {}, {}],
      ['/edge/message', incoming('g'), {}],
      ['/edge/register', { user_phone: PHONE }, {}],
      ['/api/send-message', ask, { 'X-Admin-Key': 'the-admin' }],
    ] as const) {
      expect([path, (await post(backend, path, body, headers)).status]).toEqual([path, 200]);
    }
    await PlainSocket.connect(backend);
    expect((await post(backend, '/edge/sync', {}, wrong)).status).toBe(429);
  });
});

test('wrong credentials are answered with 401 and 403 to the upgrade where configured', async () => {
  const backend = await start({ refuseBy: 'status' });
  const url = `${backend.webSocketUrl}?edge_agent_id=${AGENT_ID}`;
  expect(await refusedUpgrade(url)).toMatchObject({ status: 401 });
  expect(await refusedUpgrade(url, { Authorization: 'Bearer wrong' })).toMatchObject({ status: 403 });
  await PlainSocket.connect(backend);
});

describe('a backend that keeps its data in a file', () => {
  const file = () => join(temporaryDirectory(), 'backend.sqlite');

  /** What a crash would leave now: nothing is closed in order. */
  const crashed = (path: string) => {
    const left = file();
    for (const end of ['', '-wal']) copyFileSync(`${path}${end}`, `${left}${end}`);
    return left;
  };

  test('offers an unacked command again after a crash, and recognises an acked one', async () => {
    const data = file();
    const send = (backend: SimulatedBackend, id: string) =>
      post(
        backend,
        '/api/send-message',
        { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi', command_id: id },
        { Authorization: `Bearer ${SECRET}` },
      );
    const first = await start({ data });
    const agent = await PlainSocket.connect(first);
    await agent.barrier();
    expect((await send(first, 'cmd_1')).body).toMatchObject({ delivery: 'websocket', instant: true });
    expect((await send(first, 'cmd_2')).status).toBe(200);
    await agent.next('command', 2);
    agent.send(ack('cmd_1'));
    await agent.barrier();
    const second = await start({ data: crashed(data) });
    expect((await send(second, 'cmd_1')).body).toMatchObject({ delivery: 'known' });
    const again = await PlainSocket.connect(second);
    await again.next('command');
    await again.barrier();
    expect(again.commandIds()).toEqual(['cmd_2']);
  });

  test('offers a command after a crash with every field that it was given', async () => {
    const data = file();
    const first = await start({ data });
    const given = {
      command_id: 'cmd_1',
      command_type: 'list_scheduled',
      timestamp: '2026-01-02T03:04:05.000Z',
      trace: { id: 't1' },
    };
    await first.pushCommand(given, { agentId: AGENT_ID }).via;
    const second = await start({ data: crashed(data) });
    const agent = await PlainSocket.connect(second);
    expect((await agent.next('command')).data).toMatchObject(given);
  });

  test('knows after a crash what it answered, and asks the persona about nothing twice', async () => {
    const data = file();
    const first = await start({ data });
    const answer = await post(first, '/edge/message', incoming('g1', 'hi'));
    let asked = 0;
    const persona = () => {
      asked += 1;
      return { bubbles: ['something else'] };
    };
    const second = await start({ data: crashed(data), persona });
    expect((await post(second, '/edge/message', incoming('g1', 'hi'))).body).toEqual(answer.body);
    expect(asked).toBe(0);
  });

  test('asks the persona again about a message that came before a crash and has no answer', async () => {
    const data = file();
    const first = await start({ data, persona: () => new Promise<never>(() => undefined) });
    const waiting = expect(post(first, '/edge/message', incoming('g1', 'hi'))).rejects.toThrow();
    await first.until((b) => b.messages.length === 1);
    const second = await start({ data: crashed(data) });
    expect((await post(second, '/edge/message', incoming('g1', 'hi'))).body).toMatchObject({
      reply_bubbles: ['one sec', 'you said: hi'],
    });
    await first.stop();
    await waiting;
  });

  test('answers a ping only when the acks before it are stored', async () => {
    const data = file();
    const backend = await start({ data });
    const agent = await PlainSocket.connect(backend);
    backend.pushCommand({ command_type: 'list_scheduled', command_id: 'cmd_1' });
    await agent.next('command');
    agent.send(ack('cmd_1'));
    await agent.barrier();
    const other = await start({ data: crashed(data) });
    expect(await other.commands.counts(AGENT_ID)).toEqual({ pending: 0, acked: 1 });
  });

  test('does not start on the file of another program, or of one that runs', async () => {
    const data = file();
    await start({ data });
    await expect(start({ data })).rejects.toMatchObject({ code: 'storage_in_use' });
    const foreign = file();
    openDatabase(foreign).exec('CREATE TABLE commands (place INTEGER)').close();
    await expect(start({ data: foreign })).rejects.toMatchObject({ code: 'storage_unsuitable' });
  });
});

test('the statistics show how long acks take, for each agent and for all', async () => {
  const clock = new FakeClock(Date.now());
  const backend = await start({ clock });
  const agent = await PlainSocket.connect(backend);
  backend.pushCommand({ command_type: 'list_scheduled', command_id: 'cmd_1' });
  backend.pushCommand({ command_type: 'list_scheduled', command_id: 'cmd_2' });
  await agent.next('command', 2);
  clock.advance(120);
  agent.send(ack('cmd_1'));
  agent.send(ack('cmd_1', { revision: 2 }));
  await agent.barrier();
  const answer = await fetch(`${backend.url}/edge/websocket/stats`, { headers: { 'X-Admin-Key': SECRET } });
  const latency = { count: 1, p50: 120, p99: 120, longest: 120 };
  expect(await readJson(answer)).toMatchObject({
    total_connections: 1,
    commands_pending: 1,
    commands_acked: 1,
    ack_latency_ms: latency,
    connections: [
      {
        edge_agent_id: AGENT_ID,
        connected_since: expect.stringMatching(/^\d{4}-.*Z$/),
        commands_pending: 1,
        commands_acked: 1,
        ack_latency_ms: latency,
      },
    ],
  });
});

describe('a persona from a file', () => {
  const context: PersonaContext = { agentId: AGENT_ID, guid: 'g', answered: 0, connected: false };
  const message = { thread_id: '+1', sender: '+1', filtered_text: 'hello' };
  const write = (text: string) => {
    const path = join(temporaryDirectory(), 'persona.mjs');
    writeFileSync(path, text);
    return path;
  };

  test.each([
    [
      'a text',
      'export const persona = (m) => "you said " + m.filtered_text',
      { bubbles: ['you said hello'] },
    ],
    ['several', 'export default async () => ["a", "b"]', { bubbles: ['a', 'b'] }],
    ['an answer', 'export function persona() { return { reflex: "ok" }; }', { reflex: 'ok', bubbles: [] }],
    ['nothing', 'export function persona() {}', { bubbles: [], shouldRespond: false }],
  ])('may return %s', async (_what, text, said) => {
    const persona = await loadPersona(write(text));
    expect(await persona(message, context)).toEqual(said);
  });

  test('is reported when it is missing, is no program, exports nothing or has an unknown name', async () => {
    for (const named of ['/nowhere/persona.mjs', write('((('), write('export const other = 1'), 'charming'])
      await expect(loadPersona(named)).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test('that returns nonsense fails the request, and is asked again at the retry', async () => {
    const persona = await loadPersona(
      write('let nth = 0; export const persona = () => (nth++ === 0 ? { bubble: "typo" } : "better");'),
    );
    const lines: string[] = [];
    const backend = await start({ persona, log: (line) => lines.push(line) });
    expect((await post(backend, '/edge/message', incoming('g'))).status).toBe(500);
    expect(lines.join('\n')).toContain('returned neither text, texts nor an answer');
    expect((await post(backend, '/edge/message', incoming('g'))).body).toMatchObject({
      reply_bubbles: ['better'],
    });
  });
});
