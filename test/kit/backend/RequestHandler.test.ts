import { get } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import {
  AGENT_ID,
  ack,
  freshToken,
  incoming,
  PHONE,
  PlainSocket,
  post,
  readJson,
  SECRET,
} from './PlainAgent.js';

let backend: SimulatedBackend;

beforeEach(async () => {
  backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona: echo,
    registrationToken: 'invitation',
    adminKey: 'the-admin',
  });
});
afterEach(() => backend.stop());

describe('the entrances', () => {
  test('answers a plain GET of the socket path with 426, and liveness to anyone', async () => {
    const upgrade = await fetch(`${backend.url}/edge/ws`);
    expect(upgrade.status).toBe(426);
    expect(upgrade.headers.get('upgrade')).toBe('websocket');
    for (const path of ['/health', '/edge/health']) {
      expect(await readJson(await fetch(backend.url + path))).toMatchObject({ status: 'ok' });
    }
  });

  test('answers a HEAD as the GET, without a body', async () => {
    const response = await fetch(`${backend.url}/health`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect((await fetch(`${backend.url}/edge/sync`, { method: 'HEAD' })).status).toBe(405);
  });

  test('answers clients that offer HTTP/2, as curl --http2 and Java do, like any others', async () => {
    const ask = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          Connection: 'Upgrade, HTTP2-Settings',
          Upgrade: 'h2c',
          'HTTP2-Settings': 'AAMAAABk',
        };
        get(`${backend.url}${path}`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
    expect(await ask('/health')).toBe(200);
    expect(await ask('/edge/ws')).toBe(426);
  });

  test('answers 404 elsewhere and 405 with the right method', async () => {
    expect((await fetch(`${backend.url}/edge/nothing`)).status).toBe(404);
    const wrong = await fetch(`${backend.url}/edge/sync`);
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
  });

  test('answers 401 without credentials and 403 with wrong ones, and does nothing', async () => {
    const bare = await fetch(`${backend.url}/edge/message`, { method: 'POST', body: '{}' });
    expect(bare.status).toBe(401);
    const wrong = await post(backend, '/edge/message', incoming('g'), { Authorization: 'Bearer no' });
    expect(wrong.status).toBe(403);
    const foreign = await post(backend, '/edge/message', incoming('g'), { 'X-Edge-Agent-Id': 'edge_1999' });
    expect(foreign.status).toBe(403);
    expect(backend.messages).toEqual([]);
  });

  test('needs the admin key, not an agent token, to send a text or read the statistics', async () => {
    const ask = { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi' };
    expect((await post(backend, '/api/send-message', ask)).status).toBe(401);
    expect((await fetch(`${backend.url}/edge/websocket/stats`)).status).toBe(401);
  });
});

describe('POST /edge/register', () => {
  const body = { user_phone: PHONE, apple_id: 'x@example.com', version: '0.1.0', capabilities: [] };

  test('returns the id derived from the phone, however often it is asked', async () => {
    for (const _ of [1, 2]) {
      const answer = await post(backend, '/edge/register', body);
      expect(answer).toMatchObject({ status: 200, body: { edge_agent_id: AGENT_ID } });
      expect(answer.body.auth_token).toBeUndefined();
    }
    expect(backend.registrations).toHaveLength(2);
  });

  test('accepts the registration token under either name and returns a token that works', async () => {
    for (const name of ['auth_token', 'registration_token']) {
      const response = await fetch(`${backend.url}/edge/register`, {
        method: 'POST',
        body: JSON.stringify({ ...body, [name]: 'invitation' }),
      });
      const { auth_token } = await readJson(response);
      const sync = await post(backend, '/edge/sync', {}, { Authorization: `Bearer ${auth_token}` });
      expect(sync.status).toBe(200);
    }
  });

  test('refuses a caller with neither, and names the field of a wrong phone', async () => {
    const send = (more: object) =>
      fetch(`${backend.url}/edge/register`, { method: 'POST', body: JSON.stringify({ ...body, ...more }) });
    expect((await send({})).status).toBe(401);
    expect((await send({ auth_token: 'wrong' })).status).toBe(403);
    const wrong = await send({ user_phone: '555' });
    expect(wrong.status).toBe(400);
    expect((await readJson(wrong)).message).toMatch(/^user_phone: expected a phone number/);
    expect(backend.registrations).toEqual([]);
  });
});

describe('POST /edge/sync', () => {
  test('hands out what is unacked, accepts acks bare or enveloped, and lists what it read', async () => {
    for (const id of ['cmd_1', 'cmd_2', 'cmd_3']) {
      const { via } = backend.pushCommand(
        { command_id: id, command_type: 'list_scheduled' },
        { agentId: AGENT_ID },
      );
      expect(await via).toBe('polling');
    }
    const first = await post(backend, '/edge/sync', { edge_agent_id: AGENT_ID, last_command_id: null });
    expect(first.body.commands).toMatchObject([{ command_id: 'cmd_1' }, { command_id: 'cmd_2' }, {}]);
    const second = await post(backend, '/edge/sync', {
      last_command_id: 'cmd_3',
      command_acks: [ack('cmd_1'), ack('cmd_3').data],
      pending_events: [{ event_id: 'evt_1', event_type: 'error', details: { code: 1 } }],
    });
    expect(second.body).toMatchObject({
      ack_events: ['evt_1'],
      ack_commands: ['cmd_1', 'cmd_3'],
      commands: [{ command_id: 'cmd_2' }],
    });
    expect(backend.acks.map(({ channel }) => channel)).toEqual(['/edge/sync', '/edge/sync']);
  });

  test('hands out a command meant for polling beside a live socket, and never by that socket', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.pushCommand({ command_id: 'cmd_1', command_type: 'list_scheduled' }, { via: 'polling' });
    const { body } = await post(backend, '/edge/sync', {});
    expect(body.commands).toMatchObject([{ command_id: 'cmd_1' }]);
    await agent.barrier();
    expect(agent.commandIds()).toEqual([]);
    const again = await PlainSocket.connect(backend);
    await again.barrier();
    expect(again.commandIds()).toEqual([]);
  });

  test('carries settings once to an agent without a socket, and by frame to one with', async () => {
    backend.pushConfigUpdate({ backend: { sync_interval_seconds: 5 } }, AGENT_ID);
    const settings = { backend: { sync_interval_seconds: 5 } };
    expect((await post(backend, '/edge/sync', {})).body.config_updates).toEqual(settings);
    expect((await post(backend, '/edge/sync', {})).body.config_updates).toBeUndefined();
    const agent = await PlainSocket.connect(backend);
    backend.pushConfigUpdate(settings);
    expect(await agent.next('config_update')).toMatchObject({ data: settings });
  });

  test('names the field, whichever is wrong', async () => {
    const answer = await post(backend, '/edge/sync', {
      command_acks: [{ command_id: 'cmd_1', success: true }, { status: 'done' }],
      pending_events: 'none',
    });
    expect(answer.status).toBe(400);
    const fields = String(answer.body.message);
    expect(fields).toContain('command_acks[1].command_id:');
    expect(fields).toContain('command_acks[1].status:');
    expect(fields).toContain('pending_events:');
    expect(backend.acks).toEqual([]);
  });
});

describe('acks by HTTP', () => {
  test('are read on both paths, repeats and unknown ids included', async () => {
    backend.pushCommand({ command_id: 'cmd_1', command_type: 'list_scheduled' }, { agentId: AGENT_ID });
    for (const path of ['/edge/command/ack', '/edge/ack_command', '/edge/command/ack']) {
      const answer = await post(backend, path, ack('cmd_1').data);
      expect(answer).toMatchObject({ status: 200, body: { success: true, ack_commands: ['cmd_1'] } });
    }
    expect((await post(backend, '/edge/command/ack', ack('cmd_9'))).status).toBe(200);
    expect(backend.acks.map(({ channel }) => channel)).toEqual([
      '/edge/command/ack',
      '/edge/ack_command',
      '/edge/command/ack',
      '/edge/command/ack',
    ]);
    expect(await backend.commands.counts(AGENT_ID)).toEqual({ pending: 0, acked: 1 });
  });
});

describe('POST /api/send-message', () => {
  const admin = { 'X-Admin-Key': 'the-admin' };
  const ask = { edge_agent_id: AGENT_ID, thread_id: '+13105551234', message: 'hi' };

  test('is queued without a socket and says so, and reaches the agent when it connects', async () => {
    const answer = await post(backend, '/api/send-message', ask, admin);
    expect(answer.body).toMatchObject({ success: true, delivery: 'polling', instant: false });
    const agent = await PlainSocket.connect(backend);
    expect(await agent.next('command')).toMatchObject({
      data: { command_id: answer.body.command_id, payload: { text: 'hi', thread_id: '+13105551234' } },
    });
  });

  test('is instant by a socket and says so, and is a schedule when it names a time', async () => {
    const agent = await PlainSocket.connect(backend);
    const later = { ...ask, send_at: '2030-01-01T00:00:00Z' };
    const answer = await post(backend, '/api/send-message', later, { Authorization: 'Bearer the-admin' });
    expect(answer.body).toMatchObject({ delivery: 'websocket', instant: true });
    expect(await agent.next('command')).toMatchObject({
      data: { command_type: 'schedule_message', payload: { message_text: 'hi', send_at: later.send_at } },
    });
  });

  test('names the text that is missing', async () => {
    const answer = await post(backend, '/api/send-message', { ...ask, message: '' }, admin);
    expect(answer).toMatchObject({ status: 400, body: { fields: [/^message: expected a text/] } });
  });

  test('names an invalid time, and queues nothing', async () => {
    for (const send_at of ['garbage', '', '2030-02-30T00:00:00Z', 'tomorrow']) {
      const answer = await post(backend, '/api/send-message', { ...ask, send_at }, admin);
      expect(answer).toMatchObject({ status: 400, body: { fields: [/^send_at: expected a time/] } });
    }
    expect(await backend.commands.counts()).toEqual({ pending: 0, acked: 0 });
  });

  test('shows up in the statistics', async () => {
    const agent = await PlainSocket.connect(backend);
    await post(backend, '/api/send-message', { ...ask, command_id: 'cmd_1' }, admin);
    await post(backend, '/api/send-message', { ...ask, command_id: 'cmd_2' }, admin);
    agent.send(ack('cmd_1'));
    await agent.barrier();
    const response = await fetch(`${backend.url}/edge/websocket/stats`, { headers: admin });
    expect(await readJson(response)).toMatchObject({
      total_connections: 1,
      connections: [{ edge_agent_id: AGENT_ID, commands_pending: 1, commands_acked: 1, pings: 1 }],
    });
  });
});

describe('POST /photo/upload', () => {
  async function upload(guid: string, size: number, agentId = AGENT_ID, kind = 'multipart/form-data') {
    const fields = {
      ...{ user_phone: PHONE, edge_agent_id: agentId, attachment_guid: guid, message_guid: 'm' },
      ...{ chat_guid: 'c', is_group: 'false', caption: '', participants: '[]', context: '{}' },
    };
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set('file', new Blob([Buffer.alloc(size, 1)], { type: 'image/jpeg' }), 'photo.jpeg');
    const whole = new Response(form);
    const type = whole.headers.get('content-type')?.replace('multipart/form-data', kind) ?? '';
    const { status } = await fetch(`${backend.url}/photo/upload`, {
      method: 'POST',
      headers: {
        ...{ Authorization: `Bearer ${freshToken(agentId)}`, 'X-Edge-Agent-Id': agentId },
        'Content-Type': type,
      },
      body: await whole.arrayBuffer(),
    });
    expect(status).toBe(200);
  }

  test('keeps the bytes of a file once, however often it comes, and knows a repeat by agent and guid', async () => {
    for (let nth = 0; nth < 3; nth += 1) await upload('a', 1_000);
    await upload('a', 10, 'edge_2');
    const kept = backend.photos.map(({ agentId, repeat, file }) => [agentId, repeat, file.bytes.length]);
    expect(kept).toEqual([
      [AGENT_ID, true, 1_000],
      ['edge_2', false, 10],
    ]);
  });

  test('keeps 64 MiB of files, and forgets the oldest first', async () => {
    const guids = ['a', 'b', 'c', 'd', 'e'];
    for (const guid of guids) await upload(guid, 15 * 1024 * 1024);
    expect(backend.photos.map(({ guid }) => guid)).toEqual(['b', 'c', 'd', 'e']);
  });

  test('accepts a form whatever the case of its type', async () => {
    await upload('a', 10, AGENT_ID, 'Multipart/Form-Data');
    expect(backend.photos).toHaveLength(1);
  });
});

describe('the id of the caller', () => {
  test('may come from the signed token alone, but not from nowhere', async () => {
    const send = (token: string) =>
      fetch(`${backend.url}/edge/message`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: JSON.stringify(incoming('g')),
      });
    expect((await send(freshToken())).status).toBe(200);
    const nameless = await send(SECRET);
    expect(nameless.status).toBe(400);
    expect((await readJson(nameless)).message).toMatch(/^X-Edge-Agent-Id/);
  });
});
