import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { echo, slow } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import {
  AGENT_ID,
  ack,
  incoming,
  PlainSocket,
  post,
  readJson,
  refusedUpgrade,
  SECRET,
} from './PlainAgent.js';

let backend: SimulatedBackend;

beforeEach(async () => {
  backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
});
afterEach(() => backend.stop());

const aCommand = (id: string) => ({ command_id: id, command_type: 'list_scheduled' });

describe('socket faults', () => {
  test('a drop is seen as 1006, a close with its code', async () => {
    const one = await PlainSocket.connect(backend);
    expect(backend.dropSocket()).toBe(1);
    expect(await one.closed).toMatchObject({ code: 1006 });
    const two = await PlainSocket.connect(backend);
    backend.closeWith(1013, 'busy');
    expect(await two.closed).toEqual({ code: 1013, reason: 'busy' });
  });

  test('a frozen socket swallows both ways in silence, and the commands are not lost', async () => {
    const frozen = await PlainSocket.connect(backend);
    backend.freezeSocket();
    expect(await backend.pushCommand(aCommand('cmd_1')).via).toBe('websocket');
    frozen.send({ type: 'ping' });
    const { body } = await post(backend, '/edge/sync', {});
    expect(body.commands).toMatchObject([{ command_id: 'cmd_1' }]);
    expect(frozen.frames.map(({ type }) => type)).toEqual(['connected']);
    expect(frozen.socket.readyState).toBe(WebSocket.OPEN);

    const fresh = await PlainSocket.connect(backend);
    await fresh.next('command');
    expect(fresh.commandIds()).toEqual(['cmd_1']);
    expect(await frozen.closed).toMatchObject({ code: 1006 });
  });

  test('a thawed socket reads what came meanwhile', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.freezeSocket();
    agent.send({ type: 'status', data: { state: 'healthy' } });
    await post(backend, '/edge/sync', {});
    expect(backend.statuses).toEqual([]);
    backend.thawSocket();
    await backend.until((b) => b.statuses.length === 1);
  });

  test('upgrades are refused with a status and Retry-After, then hang, then work again', async () => {
    const url = `${backend.webSocketUrl}?edge_agent_id=${AGENT_ID}`;
    backend.refuseUpgrades(503, 7);
    expect(await refusedUpgrade(url)).toEqual({ status: 503, retryAfter: '7' });
    backend.refuseUpgrades('hang');
    const hung = new WebSocket(url, { handshakeTimeout: 50 });
    const failure = await new Promise<Error>((resolve) => hung.on('error', resolve));
    expect(failure.message).toMatch(/timed out/);
    backend.refuseUpgrades(null);
    await PlainSocket.connect(backend);
  });

  test('held pongs leave commands flowing, and come late when released', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.holdPongs();
    agent.send({ type: 'ping' });
    agent.socket.ping();
    backend.pushCommand(aCommand('cmd_1'));
    await agent.next('command');
    const seen = { type: 'status', data: {} };
    agent.send(seen);
    await backend.until((b) => b.statuses.length === 1);
    expect(agent.frames.filter(({ type }) => type === 'pong')).toEqual([]);
    backend.releasePongs();
    await agent.next('pong');
  });

  test('a duplicated command comes twice, the one after it once', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.duplicateNextCommand();
    backend.pushCommand(aCommand('cmd_1'));
    backend.pushCommand(aCommand('cmd_2'));
    await agent.next('command', 3);
    expect(agent.commandIds()).toEqual(['cmd_1', 'cmd_1', 'cmd_2']);
  });

  test('raw frames are sent as they are, text or binary', async () => {
    const agent = await PlainSocket.connect(backend);
    const got: [string, boolean][] = [];
    const both = new Promise<void>((resolve) => {
      agent.socket.removeAllListeners('message');
      agent.socket.on('message', (data, isBinary) => {
        got.push([data.toString(), isBinary]);
        if (got.length === 2) resolve();
      });
    });
    backend.pushRaw('{"type":');
    backend.pushRaw(Buffer.from('xyz'));
    await both;
    expect(got).toEqual([
      ['{"type":', false],
      ['xyz', true],
    ]);
  });
});

describe('HTTP faults', () => {
  test('fail the requested number of times, on the requested path, doing nothing', async () => {
    backend.failHttp(429, 2, { path: '/edge/message', retryAfter: '3' });
    for (const _ of [1, 2]) {
      const answer = await post(backend, '/edge/message', incoming('g1'));
      expect(answer.status).toBe(429);
      expect(answer.headers.get('retry-after')).toBe('3');
    }
    expect((await post(backend, '/edge/sync', {})).status).toBe(200);
    expect(backend.messages).toEqual([]);
    expect((await post(backend, '/edge/message', incoming('g1'))).status).toBe(200);
  });

  test('fail every request until cleared', async () => {
    backend.failHttp(502, Infinity);
    for (const _ of [1, 2, 3]) expect((await post(backend, '/edge/sync', {})).status).toBe(502);
    backend.clearHttpFaults();
    expect((await post(backend, '/edge/sync', {})).status).toBe(200);
  });

  test('lose a reply whose message was accepted: the repeat gets the same one', async () => {
    const agent = await PlainSocket.connect(backend);
    backend.loseReplies({ path: '/edge/message' });
    await expect(post(backend, '/edge/message', incoming('g1'))).rejects.toThrow();
    expect(backend.journal.replies).toMatchObject([{ guid: 'g1', delivered: false }]);
    expect((await post(backend, '/edge/message', incoming('g1'))).status).toBe(200);
    await agent.barrier();
    expect(agent.commandIds()).toHaveLength(1);
  });

  test('delay a request by the requested time', async () => {
    backend.delayHttp(40, { path: '/edge/sync', times: 1 });
    const begun = performance.now();
    expect((await post(backend, '/edge/sync', {})).status).toBe(200);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(39);
  });

  test('leave no request waiting when the backend stops', async () => {
    const patient = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: slow(echo, 600_000) });
    const waiting = post(patient, '/edge/message', incoming('g1'));
    const ended = expect(waiting).rejects.toThrow();
    await patient.until((b) => b.messages.length === 1);
    await patient.stop();
    await ended;
  });
});

describe('down and up again', () => {
  test('cuts everything, refuses connections, and comes back on the same port with what it kept', async () => {
    const agent = await PlainSocket.connect(backend);
    const { port } = backend;
    backend.pushCommand(aCommand('cmd_1'));
    await agent.next('command');
    await backend.goDown();
    expect(await agent.closed).toMatchObject({ code: 1006 });
    await expect(fetch(`${backend.url}/health`)).rejects.toThrow();
    await backend.comeBack();
    expect(backend.port).toBe(port);
    const back = await PlainSocket.connect(backend);
    await back.next('command');
    expect(back.commandIds()).toEqual(['cmd_1']);
    expect(await readJson(await fetch(`${backend.url}/health`))).toMatchObject({ status: 'ok' });
  });

  test('names the port that is taken', async () => {
    const second = SimulatedBackend.start({ port: backend.port, secret: SECRET, persona: echo });
    await expect(second).rejects.toMatchObject({ name: 'EdgeError', message: /EADDRINUSE/ });
  });

  test('ends a wait when it stops, and reports what it saw when a wait is too long', async () => {
    await expect(backend.until((b) => b.acks.length > 0, 20)).rejects.toThrow(/0 acks/);
    const waiting = backend.until((b) => b.acks.length > 0);
    const ended = expect(waiting).rejects.toThrow(/stopped/);
    await backend.stop();
    await ended;
    await backend.stop();
  });
});

describe('the event stream', () => {
  test('reports everything in order, to a listener that may throw without harm, until it is unsubscribed', async () => {
    const kinds: string[] = [];
    backend.observe(() => {
      throw new Error('a mistake of the listener');
    });
    const stop = backend.observe(({ kind }) => kinds.push(kind));
    const agent = await PlainSocket.connect(backend);
    await post(backend, '/edge/message', incoming('g1'));
    const command = await agent.next('command');
    agent.send(ack(String(command.data?.command_id)));
    await backend.until((b) => b.acks.length === 1 && b.journal.replies.length === 1);
    stop();
    backend.dropSocket();
    await backend.until((b) => b.connections.length === 0);
    expect(kinds.slice(0, 4)).toEqual(['connected', 'message', 'command', 'reflex']);
    expect(kinds.slice(4).toSorted()).toEqual(['ack', 'reply']);
  });
});
