import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { removeAgent } from '../../src/gateway/ledger/agents.js';
import { findUpload } from '../../src/gateway/ledger/uploads.js';
import {
  AGENT_ID,
  ack,
  freshToken,
  incoming,
  PHONE,
  PlainSocket,
  refusedUpgrade,
  SECRET,
} from '../kit/backend/PlainAgent.js';
import { TcpProxy } from '../support/TcpProxy.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';
import { uploadPhoto } from './uploadPhoto.js';
import { Receiver } from './webhooks/Receiver.js';

const engines = gatewayEngines('PostgreSQL');
const OTHER = { id: 'edge_13105550999', secret: 'the-secret-of-another-agent' };

function uploadDirectory({ settings: { uploads } }: GatewayWorld): string {
  if (uploads.kind !== 'directory') throw new Error('its uploads are elsewhere');
  return uploads.path;
}

async function upload(world: GatewayWorld, headers: Record<string, string>, guid?: string): Promise<number> {
  return (await uploadPhoto(world, headers, guid)).status;
}

describe.each(engines)('credentials on $name', (engine) => {
  const ENDPOINTS = [
    ['/edge/sync', { command_acks: [ack('c1').data], pending_events: [{ event_id: 'e', event_type: 'x' }] }],
    ['/edge/command/ack', ack('c1').data],
    ['/edge/ack_command', ack('c1').data],
    ['/edge/message', incoming('g1')],
    ['/edge/register', { user_phone: PHONE }],
    ['/photo/upload', undefined],
  ] as const;

  test('that are missing, unknown, or of another agent let nothing be read, stored or acked at any endpoint', async () => {
    const world = await GatewayWorld.start(engine);
    await world.addAgent(OTHER.id, OTHER.secret);
    await world.command('c1');
    const claims = { 'X-Edge-Agent-Id': AGENT_ID };
    const strangers = [
      [401, 'no credentials', claims],
      [403, 'a forged token', { ...claims, Authorization: `Bearer ${freshToken(AGENT_ID, 'guessed')}` }],
      [
        403,
        "another agent's secret",
        { ...claims, Authorization: `Bearer ${freshToken(AGENT_ID, OTHER.secret)}` },
      ],
      [
        403,
        "another agent's token",
        { ...claims, Authorization: `Bearer ${freshToken(OTHER.id, OTHER.secret)}` },
      ],
      [403, 'a plain secret', { ...claims, Authorization: `Bearer ${SECRET}` }],
      [
        403,
        'an agent that is unknown',
        { 'X-Edge-Agent-Id': 'edge_1', Authorization: `Bearer ${freshToken('edge_1', SECRET)}` },
      ],
      [
        403,
        'its own token for another id',
        { 'X-Edge-Agent-Id': OTHER.id, Authorization: `Bearer ${freshToken()}` },
      ],
    ] as const;
    for (const [status, who, headers] of strangers) {
      for (const [path, body] of ENDPOINTS) {
        const came =
          body === undefined
            ? await upload(world, headers)
            : (await fetch(world.url + path, { method: 'POST', headers, body: JSON.stringify(body) })).status;
        expect([who, path, came]).toEqual([who, path, status]);
      }
      if ('Authorization' in headers) {
        const socket = await PlainSocket.open(world, {
          authorization: headers.Authorization,
          agentId: headers['X-Edge-Agent-Id'],
        });
        expect([who, (await socket.closed).code]).toEqual([who, 1008]);
      }
    }
    const nobody = await PlainSocket.open(world, { authorization: null });
    expect((await nobody.closed).code).toBe(4001);
    const { database } = world.gateway;
    for (const table of ['inbox', 'agent_events', 'uploads', 'event_log', 'connections'])
      expect(await database.query(`SELECT * FROM ${table}`)).toEqual([]);
    expect(await world.waiting()).toEqual(['c1']);
  });

  test("of one agent do not reach another's commands, acks, messages or files under the same ids", async () => {
    const world = await GatewayWorld.start(engine);
    await world.addAgent(OTHER.id, OTHER.secret);
    await world.command('c1');
    await world.command('c2', OTHER.id);
    const asOther = (path: string, body: unknown) => world.post(path, body, OTHER.id, OTHER.secret);
    const { body } = await asOther('/edge/sync', { command_acks: [ack('c1').data] });
    expect(body).toMatchObject({ commands: [{ command_id: 'c2' }] });
    const socket = await world.connect(OTHER.id, OTHER.secret);
    await socket.next('command');
    socket.send(ack('c1'));
    await socket.barrier();
    expect(socket.commandIds()).toEqual(['c2']);
    expect(await world.waiting()).toEqual(['c1']);
    expect((await asOther('/edge/sync', { edge_agent_id: AGENT_ID })).status).toBe(400);
    await asOther('/edge/message', incoming('g1'));
    await world.post('/edge/message', incoming('g1'));
    const rows = await world.gateway.database.query('SELECT agent_id FROM inbox ORDER BY received_at');
    expect(rows.map(({ agent_id }) => agent_id)).toEqual([OTHER.id, AGENT_ID]);
  });

  test('that are rotated are both valid until the old ones end, for sockets that are open too', async () => {
    const world = await GatewayWorld.start(engine);
    const status = async (secret: string) => (await world.post('/edge/sync', {}, AGENT_ID, secret)).status;
    const live = await world.connect();
    await live.barrier();
    const next = await world.admin['agents.rotate']({ id: AGENT_ID, overlapSeconds: 60 });
    await until(
      async () => (await status(next.secret)) === 200,
      () => 'the new secret to count',
    );
    expect(await status(SECRET)).toBe(200);
    await live.barrier();
    const last = await world.admin['agents.rotate']({ id: AGENT_ID, overlapSeconds: 0 });
    expect((await live.closed).code).toBe(1008);
    expect([await status(SECRET), await status(next.secret), await status(last.secret)]).toEqual([
      403, 403, 200,
    ]);
  });

  test('of an agent that is removed are no longer valid, and its socket is closed', async () => {
    const world = await GatewayWorld.start(engine);
    await world.addAgent(OTHER.id, OTHER.secret);
    const [live, other] = [await world.connect(), await world.connect(OTHER.id, OTHER.secret)];
    await Promise.all([live, other].map((socket) => socket.barrier()));
    await world.admin['agents.remove']({ id: AGENT_ID });
    expect((await live.closed).code).toBe(1008);
    expect((await world.post('/edge/sync', {})).status).toBe(403);
    await other.barrier();
  });

  test.skipIf(engine.name === 'SQLite').each([
    ['before', 'up'],
    ['behind', 'down'],
  ] as const)(
    'of an agent whose removal breaks off %s its COMMIT: that is not known, and every replica checks',
    async (place, way) => {
      const world = await GatewayWorld.start(engine);
      const live = await world.connect();
      await live.barrier();
      const url = new URL(world.settings.storage.kind === 'postgres' ? world.settings.storage.url : '');
      const proxy = await TcpProxy.start(() => ({ host: url.hostname, port: Number(url.port) }));
      onTestFinished(() => proxy.close());
      const admin = world.adminOn(await engine.open(proxy.before(url.href)));
      void proxy.next(way, 'COMMIT\0', 'cut');
      const removed = admin['agents.remove']({ id: AGENT_ID });
      await expect(removed).rejects.toMatchObject({ code: 'commit_unknown' });
      if (place === 'behind') expect((await live.closed).code).toBe(1008);
      else await live.barrier();
    },
  );

  test.skipIf(engine.name === 'SQLite')(
    'of one agent that cannot be opened do not protect a socket of another one that was removed',
    async () => {
      const world = await GatewayWorld.start(engine);
      await world.addAgent(OTHER.id, OTHER.secret);
      const other = await world.connect(OTHER.id, OTHER.secret);
      const live = await world.connect();
      await Promise.all([live, other].map((socket) => socket.barrier()));
      const { database } = world.gateway;
      await database.transaction(async (tx) => {
        await tx.query("UPDATE agent_secrets SET sealed = 'spoilt' WHERE agent_id = $1", [OTHER.id]);
        await removeAgent(tx, AGENT_ID, Date.now());
      });
      // Word of it is lost with the connection that listens: every socket is looked at.
      const listening = "datname = current_database() AND (query LIKE 'LISTEN %' OR query = 'SELECT 1')";
      const killed = await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${listening}`,
      );
      expect(killed).not.toEqual([]);
      expect((await live.closed).code).toBe(1008);
      await other.barrier();
    },
  );

  test('of an agent that is removed as it connects open no valid socket', async () => {
    const world = await GatewayWorld.start(engine);
    const { database } = world.gateway;
    // Its secrets are known here, and no word of the removal came yet.
    expect((await world.post('/edge/sync', {})).status).toBe(200);
    await database.transaction((tx) => removeAgent(tx, AGENT_ID, Date.now()));
    const { code, reason } = await (await world.connect()).closed;
    expect([code, reason]).toEqual([1008, 'there is no such agent any more']);
    expect(await database.query('SELECT agent_id FROM connections')).toEqual([]);
    expect(await world.eventTypes()).toEqual([]);
  });

  test('of an admin are an API key with its rights', async () => {
    const world = await GatewayWorld.start(engine);
    const order = { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi', command_id: 'cmd_1' };
    const send = async (key: string, more: object = {}) =>
      world.gateway.port &&
      (await fetch(`${world.url}/api/send-message`, {
        method: 'POST',
        headers: { 'X-Admin-Key': key },
        body: JSON.stringify({ ...order, ...more }),
      }));
    const stats = async (key: string) =>
      (await fetch(`${world.url}/edge/websocket/stats`, { headers: { Authorization: `Bearer ${key}` } }))
        .status;
    const writer = await world.addKey(['messages:write']);
    const elsewhere = await world.addKey(['messages:write'], ['edge_1']);
    const reader = await world.addKey(['agents:read']);
    const statuses = async (...asked: (Promise<Response | 0> | Promise<number>)[]) =>
      Promise.all(
        asked.map(async (one) => {
          const came = await one;
          return typeof came === 'number' ? came : came.status;
        }),
      );
    expect(
      await statuses(send('eg_live_guess'), send(SECRET), send(elsewhere), send(reader), stats(writer)),
    ).toEqual([401, 401, 403, 403, 403]);
    expect(await world.waiting()).toEqual([]);
    expect(await statuses(send(writer), send(writer), stats(reader))).toEqual([200, 200, 200]);
    expect(await statuses(send(await world.addKey(['admin']), { edge_agent_id: 'edge_1' }))).toEqual([404]);
    expect(await world.waiting()).toEqual(['cmd_1']);
    // Another text under the id of an earlier one would be reported as sent, and never be.
    expect(await statuses(send(writer, { message: 'other words' }))).toEqual([409]);
    const { database } = world.gateway;
    await database.transaction((tx) => removeAgent(tx, AGENT_ID, Date.now()));
    expect(await statuses(send(writer, { command_id: 'cmd_2' }))).toEqual([404]);
    const orders = await database.query('SELECT command_id FROM commands');
    expect(orders).toEqual([{ command_id: 'cmd_1' }]);
    expect(await database.query('SELECT message_id, status FROM messages')).toEqual([
      { message_id: 'cmd_1', status: 'queued' },
    ]);
  });

  test('of an admin are limited in their rate by the key', async () => {
    const world = await GatewayWorld.start(engine, { rate: { perSecond: 0.001, burst: 2 } });
    const status = async (key: string) =>
      (await fetch(`${world.url}/edge/websocket/stats`, { headers: { 'X-Admin-Key': key } })).status;
    const [one, other] = [await world.addKey(['agents:read']), await world.addKey(['agents:read'])];
    const answers = await Promise.all(Array.from({ length: 20 }, () => status(one)));
    expect(answers).toContain(429);
    expect(await status(other)).toBe(200);
  });
});

describe.each(engines)('registration on $name', (engine) => {
  test('invites agents that are new, gives them a token that works, and takes over no agent of an operator', async () => {
    const world = await GatewayWorld.start(engine, { registrationToken: 'the-invitation' });
    const register = (body: object) =>
      fetch(`${world.url}/edge/register`, { method: 'POST', body: JSON.stringify(body) });
    const newcomer = { user_phone: '+13105550777', registration_token: 'the-invitation', version: '0.1.0' };
    for (const _ of [1, 2]) {
      const answer = JSON.parse(await (await register(newcomer)).text());
      expect(answer).toMatchObject({ edge_agent_id: 'edge_13105550777', accepts: ['event', 'status'] });
      const headers = { Authorization: `Bearer ${answer.auth_token}`, 'X-Edge-Agent-Id': 'edge_13105550777' };
      const sync = await fetch(`${world.url}/edge/sync`, { method: 'POST', headers, body: '{}' });
      expect(sync.status).toBe(200);
    }
    expect((await register({ ...newcomer, registration_token: 'guess' })).status).toBe(403);
    expect((await register({ ...newcomer, user_phone: PHONE })).status).toBe(403);
    const own = await world.post('/edge/register', { user_phone: PHONE, version: '0.2.0', auth_token: 'x' });
    expect(own).toMatchObject({ status: 200, body: { edge_agent_id: AGENT_ID } });
    const dump = JSON.stringify(await world.gateway.database.query('SELECT * FROM agents'));
    expect(dump).toContain('0.2.0');
    expect(dump).not.toContain('the-invitation');
  });
});

describe.each(engines)('commands on $name', (engine) => {
  test('come in their order, over a socket that connects while they are added, and again until they are acked', async () => {
    const world = await GatewayWorld.start(engine);
    const ids = Array.from({ length: 60 }, (_, nth) => `c${nth + 1}`);
    for (const id of ids.slice(0, 30)) await world.command(id);
    const connecting = world.connect();
    for (const id of ids.slice(30)) await world.command(id);
    const socket = await connecting;
    await socket.next('command', ids.length);
    expect(socket.commandIds()).toEqual(ids);
    for (const id of ids.slice(1, 50)) socket.send(ack(id));
    await socket.barrier();
    socket.socket.terminate();
    const again = await world.connect();
    const left = ['c1', ...ids.slice(50)];
    await again.next('command', left.length);
    expect(again.commandIds()).toEqual(left);
    expect(await world.waiting()).toEqual(left);
  });

  test('with a file as large as the API accepts fit into a frame that agents read', async () => {
    const world = await GatewayWorld.start(engine);
    const socket = await world.connect();
    const key = await world.addKey(['messages:write']);
    const file = { data_base64: Buffer.alloc(8 * 1024 * 1024, 'x').toString('base64'), filename: 'x.bin' };
    const sent = await fetch(`${world.url}/v1/messages`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}` },
      body: JSON.stringify({ to: '+13105551234', attachments: [file] }),
    });
    expect(sent.status).toBe(202);
    await world.command('c2');
    const came = await Promise.race([socket.closed, socket.next('command', 2)]);
    expect(came).toMatchObject({ data: { command_id: 'c2' } });
    expect(socket.frames.find(({ type }) => type === 'command')?.data?.payload).toMatchObject({
      attachments: [file],
    });
  });

  test('outlive the gateway, and their acks too', async () => {
    const world = await GatewayWorld.start(engine);
    const socket = await world.connect();
    for (const id of ['c1', 'c2']) await world.command(id);
    await socket.next('command', 2);
    socket.send(ack('c1'));
    await socket.barrier();
    await world.gateway.stop();
    expect((await socket.closed).code).toBe(1012);
    const next = await GatewayWorld.open(world.settings);
    const again = await next.connect();
    await again.next('command');
    await again.barrier();
    expect(again.commandIds()).toEqual(['c2']);
  });

  test('are corrected by an ack of a higher revision, reported once each', async () => {
    const world = await GatewayWorld.start(engine);
    await world.command('c1');
    const failed = ack('c1', { status: 'failed', success: false, error: 'x', revision: 1 });
    for (const body of [failed.data, failed.data, ack('c1', { revision: 2 }).data, failed.data])
      expect((await world.post('/edge/command/ack', body)).status).toBe(200);
    expect(await world.eventTypes()).toEqual(['command.status', 'command.status']);
  });
});

describe.each(engines)('what agents send, on $name', (engine) => {
  test('is stored before it is answered: an event once, whichever way it comes again', async () => {
    const world = await GatewayWorld.start(engine);
    const event = { event_id: 'e1', event_type: 'schedule_cancelled', details: {} };
    const socket = await world.connect();
    for (const _ of [1, 2]) socket.send({ type: 'event', data: event });
    await socket.barrier();
    const { body } = await world.post('/edge/sync', { pending_events: [event] });
    expect(body.ack_events).toEqual(['e1']);
    // What came by the socket does not wait until it is known which replica holds it.
    expect((await world.eventTypes()).toSorted()).toEqual(['agent.online', 'message.status']);
  });

  test('reports problems that are new, and their end', async () => {
    const world = await GatewayWorld.start(engine);
    const status = (...codes: string[]) =>
      world.post('/edge/sync', { status: { problems: codes.map((code) => ({ code })) } });
    for (const codes of [['a'], ['a'], ['a', 'b'], [], []]) await status(...codes);
    expect(await world.eventTypes()).toEqual(['agent.degraded', 'agent.degraded', 'agent.recovered']);
  });

  test('a message is answered with silence where no one may answer it, the same for every repeat', async () => {
    const world = await GatewayWorld.start(engine);
    const answers = await Promise.all([1, 2, 3].map(() => world.post('/edge/message', incoming('g1'))));
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 200, body: { should_respond: false } });
    expect(await world.eventTypes()).toEqual(['message.received']);
  });

  test('a message is not waited for forever where the clock of the database is set back', async () => {
    const world = await GatewayWorld.start(engine, { answerMs: 1_000 });
    const hanging = await Receiver.start();
    hanging.answer = () => undefined;
    await world.addWebhook(hanging.url);
    const answer = world.post('/edge/message', incoming('g1'));
    await hanging.count(1);
    const hour = 'UPDATE inbox SET answer_until = answer_until + 3600000';
    await world.gateway.database.transaction((tx) => tx.query(hour));
    expect((await answer).body).toEqual({ should_respond: false });
  });

  test('a file is on the disk, for its owner alone, before it is answered, and once however often it comes', async () => {
    const world = await GatewayWorld.start(engine);
    const headers = { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID };
    for (const _ of [1, 2]) expect(await upload(world, headers)).toBe(200);
    const record = await findUpload(world.gateway.database, AGENT_ID, 'at_0');
    const directory = uploadDirectory(world);
    const path = join(directory, record?.file ?? '');
    expect(readFileSync(path, 'utf8')).toBe('the bytes');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(record).toMatchObject({ messageGuid: 'm', name: 'photo.jpeg', type: 'image/jpeg', bytes: 9 });
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toHaveLength(64);
  });

  test('files beyond their limit are refused for now, and nothing is stored', async () => {
    const world = await GatewayWorld.start(engine, { uploadBytes: 10 });
    const headers = { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID };
    expect(await upload(world, headers)).toBe(200);
    expect(await upload(world, headers, 'at_1')).toBe(503);
    expect(await findUpload(world.gateway.database, AGENT_ID, 'at_1')).toBeUndefined();
  });
});

describe.each(engines)('a gateway that stops on $name', (engine) => {
  test('accepts no new socket, reports that to load balancers, and sends its agents elsewhere with 1012', async () => {
    const world = await GatewayWorld.start(engine, { closesPerSecond: 20 });
    const others = Array.from({ length: 10 }, (_, nth) => `edge_1310555010${nth + 10}`);
    for (const id of others) await world.addAgent(id, SECRET);
    const sockets = await Promise.all([AGENT_ID, ...others].map((id) => world.connect(id)));
    const ready = async () => (await fetch(`${world.url}/ready`)).status;
    expect(await ready()).toBe(200);
    const began = performance.now();
    const stopped = world.gateway.stop();
    await sockets[0]?.closed;
    expect(await ready()).toBe(503);
    const headers = { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID };
    expect(await refusedUpgrade(`${world.webSocketUrl}?edge_agent_id=${AGENT_ID}`, headers)).toMatchObject({
      status: 503,
    });
    await stopped;
    // So many a second at most: it cannot have been sooner.
    expect(performance.now() - began).toBeGreaterThan((others.length * 1000) / 20);
    expect((await Promise.all(sockets.map(({ closed }) => closed))).map(({ code }) => code)).toEqual(
      sockets.map(() => 1012),
    );
    expect(world.log.lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
  });

  test('notifies applications that an agent is online once it connects, and not of a reconnect', async () => {
    const world = await GatewayWorld.start(engine);
    for (const _ of [1, 2, 3]) (await world.connect()).socket.terminate();
    await world.connect();
    await until(
      async () => (await world.eventTypes()).length > 0,
      () => 'agent.online',
    );
    expect(await world.eventTypes()).toEqual(['agent.online']);
  });
});
