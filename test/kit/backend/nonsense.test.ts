import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAgentFrame } from '../../../src/gateway/agents/frames.js';
import { echo } from '../../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../../src/kit/backend/SimulatedBackend.js';
import { AGENT_ID, PlainSocket, post, readJson, SECRET } from './PlainAgent.js';

let backend: SimulatedBackend;

beforeAll(async () => {
  backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: echo });
});
afterAll(() => backend.stop());

/** Writes bytes to the port and resolves with what came back until the other side closed. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(backend.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(answer));
  });
}

const stillAlive = async () =>
  expect(await readJson(await fetch(`${backend.url}/health`))).toMatchObject({ status: 'ok' });

describe('nonsense on the socket', () => {
  test('is answered with an error that names it, and the connection is kept', async () => {
    const agent = await PlainSocket.connect(backend);
    const nonsense = [
      '{"type":',
      'null',
      '[]',
      '""',
      '{"type":7}',
      '{"type":"dance"}',
      '{"type":"command_ack"}',
      '{"type":"command_ack","data":{"command_id":7,"success":true}}',
      '{"type":"event","data":[]}',
      '{"type":"status","data":"fine"}',
      '{"__proto__":{"type":"ping"}}',
      '[['.repeat(50_000),
    ];
    for (const text of nonsense) agent.send(text);
    agent.socket.send(Buffer.from([0, 255, 1]));
    await agent.next('error', nonsense.length + 1);
    const errors = agent.frames.filter(({ type }) => type === 'error').map(({ data }) => String(data?.error));
    expect(errors[0]).toBe('not JSON');
    expect(errors[5]).toContain('dance');
    expect(errors[7]).toContain('data.command_id');
    expect(errors.at(-1)).toContain('binary');
    await agent.barrier();
  });

  test('is never more than a frame of some kind, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(['ping', 'pong', 'unknown', 'malformed']).toContain(parseAgentFrame(text).kind);
      }),
    );
  });

  test('that breaks the WebSocket protocol itself closes that socket alone', async () => {
    const huge = await PlainSocket.connect(backend, 'edge_2');
    huge.socket.send(Buffer.alloc(16 * 1024 * 1024 + 1));
    expect(await huge.closed).toMatchObject({ code: 1009 });
    await stillAlive();
  });
});

describe('nonsense by HTTP', () => {
  test('is a 400 when it is no JSON, or JSON of the wrong kind', async () => {
    for (const body of ['{', '\u0000\u0001', 'null', '7', '"text"', '[]', '[['.repeat(50_000)]) {
      for (const path of ['/edge/sync', '/edge/message', '/edge/command/ack', '/edge/register']) {
        expect((await post(backend, path, body)).status, `${path} ${body.slice(0, 9)}`).toBe(400);
      }
    }
  });

  test('is a 413 above 1 MiB and accepted just below', async () => {
    const filled = (size: number) => JSON.stringify({ last_command_id: 'x'.repeat(size) });
    expect((await post(backend, '/edge/sync', filled(1024 * 1024))).status).toBe(413);
    expect((await post(backend, '/edge/sync', filled(1024 * 1024 - 100))).status).toBe(200);
  });

  test('is a 413 that names the limit of what it was, a form or JSON', async () => {
    const file = new Blob([Buffer.alloc(16 * 1024 * 1024)]);
    const form = new FormData();
    form.set('file', file, 'photo.jpeg');
    const headers = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': AGENT_ID };
    const response = await fetch(`${backend.url}/photo/upload`, { method: 'POST', headers, body: form });
    expect(response.status).toBe(413);
    expect(await readJson(response)).toMatchObject({ message: 'body: at most 16777216 bytes' });
  });

  test('is a 413 above 128 KiB where strangers may send it, whatever its type', async () => {
    const body = JSON.stringify({ user_phone: 'x'.repeat(128 * 1024) });
    for (const type of ['application/json', 'multipart/form-data; boundary=x']) {
      const headers = { 'Content-Type': type };
      const response = await fetch(`${backend.url}/edge/register`, { method: 'POST', headers, body });
      expect(response.status).toBe(413);
      expect(await readJson(response)).toMatchObject({ message: 'body: at most 131072 bytes' });
    }
  });

  test('does not treat a key of Object.prototype as an id', async () => {
    const body = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    await post(backend, '/edge/sync', body);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('is survived when it is no HTTP at all, or a strange path, or a broken upgrade', async () => {
    expect(await raw('\u0016\u0003\u0001 hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400/);
    const get = (path: string, more = '') =>
      raw(`GET ${path} HTTP/1.1\r\nHost: x\r\n${more}Connection: close\r\n\r\n`);
    for (const path of ['//', '*', '/%', '/edge/../edge', 'http://[', `/${'a'.repeat(8000)}`]) {
      expect(await get(path), path).toMatch(/^HTTP\/1\.1 404/);
    }
    const upgrade = `GET /edge/ws?edge_agent_id=${AGENT_ID} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: `;
    expect(await raw(`${upgrade}websocket\r\nSec-WebSocket-Key: short\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(`${upgrade.replace(AGENT_ID, '%zz%00')}websocket\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403/);
    await stillAlive();
  });

  test('is survived when the caller hangs up during its body', async () => {
    const head = `POST /edge/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nContent-Length: 100\r\n\r\n{`;
    await new Promise<void>((resolve) => {
      const socket = connect(backend.port, '127.0.0.1', () =>
        socket.write(head, () => {
          socket.destroy();
          resolve();
        }),
      );
    });
    await stillAlive();
  });
});
