import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { onWebSocketUpgrade, UPGRADE_OPTIONS } from '../../src/system/webSocketUpgrades.js';

/** A server that reports which request it served, with what body; `asked` is the real request. */
async function start() {
  const asked: IncomingMessage[] = [];
  const server = createServer(UPGRADE_OPTIONS, (request, response) => {
    asked.push(request);
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => response.end(`${request.method} ${request.url} <${body}>`));
  });
  const sockets = new WebSocketServer({ noServer: true });
  onWebSocketUpgrade(server, (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (agent) => agent.close(4000)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { asked, port: (server.address() as AddressInfo).port };
}

/** Writes each piece as soon as the one before brought an answer with this in it; resolves with all that came. */
function converse(port: number, pieces: readonly (readonly [write: string, until: string])[]) {
  return new Promise<string>((resolve) => {
    let came = '';
    let next = 0;
    const socket = connect(port, '127.0.0.1');
    const step = () => {
      const piece = pieces[next];
      if (piece === undefined) socket.destroy();
      else socket.write(piece[0]);
    };
    socket.on('connect', step);
    socket.on('data', (chunk) => {
      came += chunk.toString();
      if (!came.includes(pieces[next]?.[1] ?? '')) return;
      next += 1;
      step();
    });
    socket.on('close', () => resolve(came));
  });
}

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';

test('an offer of h2c is ignored: the request is served with its body, and the next one on that connection too', async () => {
  const { port, asked } = await start();
  const post = `POST /a?b HTTP/1.1\r\nHost: x\r\nX-Kept: 1\r\n${H2C}Content-Length: 5\r\n\r\n`;
  const came = await converse(port, [
    [`${post}hello`, 'POST /a?b <hello>'],
    [`GET /next HTTP/1.1\r\nHost: x\r\n${H2C}\r\n`, 'GET /next <>'],
    ['GET /last HTTP/1.1\r\nHost: x\r\n\r\n', 'GET /last <>'],
  ]);
  expect(came).not.toContain('400');
  expect(asked.map(({ headers }) => headers['x-kept'])).toEqual(['1', undefined, undefined]);
});

test('a body that comes later than its offer is waited for', async () => {
  const { port, asked } = await start();
  const head = `POST /slow HTTP/1.1\r\nHost: x\r\n${H2C}Transfer-Encoding: chunked\r\n\r\n`;
  const came = new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(head, () => setImmediate(() => socket.write('5\r\nlater\r\n0\r\n\r\n')));
    });
    socket.on('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
  });
  expect(await came).toMatch(/^HTTP\/1\.1 200/);
  expect(asked).toHaveLength(1);
});

test('a WebSocket is recognised, whatever the case', async () => {
  const { port } = await start();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { Upgrade: 'WebSocket' } });
  const code = await new Promise((resolve) => socket.on('close', resolve));
  expect(code).toBe(4000);
});
