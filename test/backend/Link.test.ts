import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeLoss, type LinkRules, PROTOCOL_RULES } from '../../src/backend/linkTypes.js';
import { systemClock } from '../../src/system/clock.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { type MadeLink, makeLink } from '../support/makeLink.js';
import { FAST } from '../support/startBackend.js';

const rules: LinkRules = { ...PROTOCOL_RULES, ...FAST.link };

describe('the driver of the link', () => {
  let fake: FakeBackend;
  let made: MadeLink | undefined;

  beforeEach(async () => {
    fake = await FakeBackend.start();
  });
  afterEach(async () => {
    if (made) {
      const { link } = made;
      link.feed({ type: 'drain', deadline: 0 });
      link.feed({ type: 'settled' });
      await fake.until(() => link.state.name === 'stopped', 'the end of the link');
      expect(made.timers()).toBe(0);
    }
    made = undefined;
    await fake.stop();
  });

  const url = () => fake.url.replace('http', 'ws');
  const is = (name: string) => fake.until(() => made?.link.state.name === name, `the link to be ${name}`);

  test('owns one timer at most, in every state', async () => {
    let most = 0;
    made = makeLink(url, systemClock, rules, () => {
      most = Math.max(most, made?.timers() ?? 0);
    });
    fake.closeOnceOpen(1011, 3);
    made.link.feed({ type: 'start', websocket: true });
    await fake.until(() => fake.handshakes.length === 4, 'four flaps');
    fake.closeOnceOpen(null);
    await is('online');
    made.link.wake();
    made.link.wake();
    expect(made.timers()).toBeLessThanOrEqual(1);
    expect(most).toBeLessThanOrEqual(1);
  });

  test('owns no timer once it has stopped, though the machine woke up just before', async () => {
    made = makeLink(url, systemClock, rules);
    fake.closeOnceOpen(1011, 1);
    made.link.feed({ type: 'start', websocket: true });
    await is('waiting');
    made.link.wake();
    made.link.feed({ type: 'drain', deadline: 0 });
    made.link.feed({ type: 'settled' });
    expect(made.link.state.name).toBe('stopped');
    expect(made.timers()).toBe(0);
  });

  describe('against peers that are no backend', () => {
    let server: Server;
    let sockets: Socket[];
    let behave: (socket: Socket, request: string) => void;

    beforeEach(async () => {
      sockets = [];
      server = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => socket.destroy());
        socket.once('data', (data) => behave(socket, String(data)));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterEach(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });

    const rawUrl = () => `ws://127.0.0.1:${(server.address() as AddressInfo).port}/edge/ws`;
    const accept = async (socket: Socket, request: string) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? '';
      const { createHash } = await import('node:crypto');
      const answer = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
      );
    };
    const frame = (text: string) => Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
    const losses = async (count: number) => {
      made?.link.feed({ type: 'start', websocket: true });
      await fake.until(() => sockets.length > count, `dial ${count + 1}`);
      const loss = made?.link.state.lastLoss;
      return loss ? describeLoss(loss) : '';
    };

    test('survives garbage instead of HTTP', async () => {
      behave = (socket) => socket.write('\x00\x01\x02 this is no HTTP\r\n\r\n');
      made = makeLink(rawUrl, systemClock, rules);
      expect(await losses(2)).toContain('Parse Error');
    });

    test('survives a proxy that answers 502 with a page', async () => {
      behave = (socket) => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n<html');
      made = makeLink(rawUrl, systemClock, rules);
      expect(await losses(2)).toBe('Unexpected server response: 502');
    });

    test('survives a wrong accept key', async () => {
      behave = (socket) =>
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n',
        );
      made = makeLink(rawUrl, systemClock, rules);
      expect(await losses(2)).toContain('Sec-WebSocket-Accept');
    });

    test('survives a connection cut inside a frame, and garbage frames', async () => {
      behave = (socket, request) =>
        void accept(socket, request).then(() => {
          socket.write(frame('{"type":"pong"}'));
          socket.write(frame('{"type":"command"').subarray(0, 7));
          if (sockets.length % 2 === 0) socket.write(Buffer.alloc(64, 0xff));
          setTimeout(() => socket.destroy(), 10);
        });
      made = makeLink(rawUrl, systemClock, rules);
      await losses(3);
      expect(made.states).toContain('online');
      expect(made.frames).toEqual([]);
    });

    test('reads frames that come byte by byte', async () => {
      behave = (socket, request) =>
        void accept(socket, request).then(async () => {
          socket.setNoDelay(true);
          for (const byte of frame('{"type":"command","data":{"command_id":"c"}}')) {
            socket.write(Buffer.from([byte]));
            await new Promise((resolve) => setImmediate(resolve));
          }
        });
      made = makeLink(rawUrl, systemClock, rules);
      made.link.feed({ type: 'start', websocket: true });
      await fake.until(() => made?.frames.length === 1, 'the frame');
      expect(made.frames[0]).toMatchObject({ type: 'command', command: { commandId: 'c' } });
    });

    test('notices a half-closed connection', async () => {
      behave = (socket, request) =>
        void accept(socket, request).then(() => {
          socket.write(frame('{"type":"pong"}'));
          socket.end();
        });
      made = makeLink(rawUrl, systemClock, rules);
      await losses(2);
      expect(made.states).toContain('waiting');
    });
  });
});
