import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { FakeClock } from '../../support/FakeClock.js';
import { AGENT_ID, ack, freshToken, PlainSocket, post, refusedUpgrade, SECRET } from './PlainAgent.js';

let backend: SimulatedBackend;
let lines: string[];

beforeEach(async () => {
  lines = [];
  backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona: echo,
    log: (line) => lines.push(line),
  });
});
afterEach(() => backend.stop());

describe('who may connect', () => {
  test('greets an agent with a signed token and announces what it reads', async () => {
    const agent = await PlainSocket.connect(backend);
    expect(await agent.next('connected')).toMatchObject({
      data: { edge_agent_id: AGENT_ID, accepts: ['event', 'status'] },
    });
    expect(lines).toContain(`[WebSocket] Connected: ${AGENT_ID} (total: 1)`);
  });

  test('closes with 4001 when the Authorization header is missing or is no bearer token', async () => {
    for (const authorization of [null, SECRET]) {
      const agent = await PlainSocket.open(backend, { authorization });
      expect(await agent.closed).toMatchObject({ code: 4001 });
    }
    expect(backend.connections).toEqual([]);
  });

  test('closes with 1008 when the token does not verify', async () => {
    const wrong = await PlainSocket.open(backend, { authorization: 'Bearer wrong' });
    expect(await wrong.closed).toMatchObject({ code: 1008 });
    const foreign = await PlainSocket.open(backend, { authorization: `Bearer ${freshToken('edge_1999')}` });
    expect(await foreign.closed).toMatchObject({ code: 1008 });
    expect(backend.journal.refusals.map(({ code }) => code)).toEqual([1008, 1008]);
  });

  test('closes with 1008 when query and header name different agents', async () => {
    const agent = await PlainSocket.open(backend, { url: `${backend.webSocketUrl}?edge_agent_id=edge_1999` });
    expect(await agent.closed).toMatchObject({ code: 1008 });
  });

  test('takes the plain secret, and the id from the header when the query has none', async () => {
    const agent = await PlainSocket.open(backend, {
      authorization: `Bearer ${SECRET}`,
      url: backend.webSocketUrl,
    });
    expect(await agent.next('connected')).toMatchObject({ data: { edge_agent_id: AGENT_ID } });
    expect(lines).toContain('Authenticated with simple secret (fallback mode)');
  });

  test('refuses the plain secret in production', async () => {
    const strict = await SimulatedBackend.start({
      port: 0,
      secret: SECRET,
      adminKey: 'the-key-of-the-operators',
      persona: echo,
      production: true,
    });
    try {
      const agent = await PlainSocket.open(strict, { authorization: `Bearer ${SECRET}` });
      expect(await agent.closed).toMatchObject({ code: 1008 });
    } finally {
      await strict.stop();
    }
  });

  test('answers an upgrade without an id with 403 and one elsewhere with 404', async () => {
    const nobody = { Authorization: `Bearer ${SECRET}` };
    expect(await refusedUpgrade(backend.webSocketUrl, nobody)).toMatchObject({ status: 403 });
    const elsewhere = backend.webSocketUrl.replace('/edge/ws', '/ws');
    expect(await refusedUpgrade(elsewhere, nobody)).toMatchObject({ status: 404 });
  });

  test('keeps a connection alive when the secret is rotated, and refuses the old one afterwards', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.rotateSecret('next');
    await agent.barrier();
    const late = await PlainSocket.open(backend);
    expect(await late.closed).toMatchObject({ code: 1008 });
  });
});

describe('one connection per agent', () => {
  test('closes the old one with 4409 and does not let its late close unregister the new one', async () => {
    const old = await PlainSocket.connect(backend);
    const fresh = await PlainSocket.connect(backend);
    expect(await old.closed).toMatchObject({ code: 4409 });
    await backend.until((b) => b.journal.disconnects.length === 1);
    expect(backend.connections).toHaveLength(1);
    backend.pushCommand({ command_id: 'cmd_1', command_type: 'list_scheduled' });
    expect(await fresh.next('command')).toMatchObject({ data: { command_id: 'cmd_1' } });
  });

  test('leaves agents with different ids alone', async () => {
    const one = await PlainSocket.connect(backend, 'edge_1');
    const two = await PlainSocket.connect(backend, 'edge_2');
    backend.pushCommand({ command_id: 'cmd_2', command_type: 'list_scheduled' }, { agentId: 'edge_2' });
    await two.next('command');
    await one.barrier();
    expect(one.commandIds()).toEqual([]);
    expect(() => backend.pushCommand({ command_type: 'list_scheduled' })).toThrow(/specify one/);
  });
});

describe('commands', () => {
  test('are sent again after every reconnect, in order, until they are acked', async () => {
    const first = await PlainSocket.connect(backend);
    for (const id of ['cmd_1', 'cmd_2', 'cmd_3']) {
      expect(await backend.pushCommand({ command_id: id, command_type: 'list_scheduled' }).via).toBe(
        'websocket',
      );
    }
    await first.next('command', 3);
    first.send(ack('cmd_2'));
    await backend.until((b) => b.acks.length === 1);
    backend.dropSocket();
    expect(await first.closed).toMatchObject({ code: 1006 });

    const second = await PlainSocket.connect(backend);
    await second.barrier();
    expect(second.commandIds()).toEqual(['cmd_1', 'cmd_3']);
  });

  test('stay for others when an agent acks what is not its own', async () => {
    const other = await PlainSocket.connect(backend, 'edge_2');
    backend.pushCommand({ command_id: 'cmd_1', command_type: 'list_scheduled' }, { agentId: AGENT_ID });
    other.send(ack('cmd_1'));
    await other.barrier();
    expect(await backend.commands.counts(AGENT_ID)).toEqual({ pending: 1, acked: 0 });
  });

  test('come in the configured envelope', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.pushCommand({ command_type: 'send_message' }, { envelope: 'payload' });
    const frame = await agent.next('command');
    expect(frame.data).toBeUndefined();
    expect(frame.payload).toMatchObject({ command_type: 'send_message', priority: 'normal' });
  });

  test('keep the ack with the highest revision, however the acks arrive', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.pushCommand({ command_id: 'cmd_1', command_type: 'send_message_now' });
    agent.send(ack('cmd_1', { revision: 2, status: 'completed' }));
    agent.send(ack('cmd_1', { revision: 1, status: 'failed', success: false }));
    await backend.until((b) => b.acks.length === 2);
    expect(await backend.commands.lastAck(AGENT_ID, 'cmd_1')).toMatchObject({
      revision: 2,
      status: 'completed',
    });
    expect(backend.acks.map(({ channel }) => channel)).toEqual(['websocket', 'websocket']);
  });

  test('stored under a known id are neither stored nor sent again', async () => {
    const agent = await PlainSocket.connect(backend);
    const command = { command_id: 'cmd_1', command_type: 'list_scheduled' };
    backend.pushCommand(command);
    expect(await backend.pushCommand(command).via).toBe('known');
    await agent.barrier();
    expect(agent.commandIds()).toEqual(['cmd_1']);
  });
});

describe('keepalive', () => {
  test('answers ping with pong, and the ping of RFC 6455 too', async () => {
    const agent = await PlainSocket.connect(backend);
    await agent.barrier();
    const ponged = new Promise((resolve) => agent.socket.once('pong', resolve));
    agent.socket.ping('x');
    expect(String(await ponged)).toBe('x');
  });

  test('drops an agent that is silent for 60 s, and only then', async () => {
    const clock = new FakeClock(Date.now());
    const timed = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo, clock });
    const until = waitWithoutClock(timed);
    try {
      const agent = await PlainSocket.connect(timed);
      clock.advance(59_000);
      await agent.barrier();
      clock.advance(59_000);
      await agent.barrier();
      expect(timed.connections).toHaveLength(1);
      clock.advance(60_000);
      expect(await agent.closed).toMatchObject({ code: 4408 });
      await until((b) => b.connections.length === 0);
    } finally {
      await timed.stop();
    }
    expect(clock.pending).toBe(0);
  });
});

/** `until` without its deadline, which would need the fake clock to move. */
function waitWithoutClock(one: SimulatedBackend) {
  return (condition: (b: SimulatedBackend) => boolean) =>
    new Promise<void>((resolve) => {
      const stop = one.observe(() => look());
      const look = () => {
        if (!condition(one)) return;
        stop();
        resolve();
      };
      look();
    });
}

describe('what agents report', () => {
  test('is kept with its channel: events, status, acks', async () => {
    const agent = await PlainSocket.connect(backend);
    const event = { event_id: 'evt_1', event_type: 'message_sent', details: {} };
    agent.send({ type: 'event', data: event });
    agent.send({ type: 'status', data: { state: 'healthy' } });
    await agent.barrier();
    expect(backend.events).toMatchObject([{ channel: 'websocket', body: event }]);
    expect(backend.statuses).toMatchObject([{ channel: 'websocket', body: { state: 'healthy' } }]);
    await post(backend, '/edge/sync', { pending_events: [event], status: { state: 'degraded' } });
    expect(backend.events.map(({ channel }) => channel)).toEqual(['websocket', '/edge/sync']);
  });

  test('is not read as an event by a backend that does not announce them', async () => {
    const plain = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo, accepts: [] });
    try {
      const agent = await PlainSocket.connect(plain);
      agent.send({ type: 'event', data: { event_id: 'evt_1', event_type: 'message_sent' } });
      await agent.next('error');
      expect(plain.events).toEqual([]);
    } finally {
      await plain.stop();
    }
  });
});
