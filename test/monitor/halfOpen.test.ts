import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MonitorWorld } from '../support/MonitorWorld.js';

/** Opens so many connections, each with the beginning of a request, and keeps writing nothing more. */
async function halfSent(count: number, open: () => Socket, beginning: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let index = 0; index < count; index++) {
    const socket = open();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    if (beginning !== '') socket.write(beginning);
    sockets.push(socket);
  }
  return sockets;
}

test.each([
  [1_200, 'nothing', ''],
  [1_200, 'half a line', 'GET / HT'],
  [1_200, 'half a head', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-'],
  [200, 'half a body', 'POST /session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{'],
  [1_200, 'half a handshake', 'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n'],
])('%i connections that send %s keep no one out', async (count, _, beginning) => {
  const world = await MonitorWorld.open({ onTestFinished });
  const port = world.server.port ?? 0;
  await halfSent(count, () => connect(port, '127.0.0.1'), beginning);
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(3_000) });
  expect([200, 404]).toContain(answer.status);
  await world.operator();
  expect(world.server.counts().authenticated).toBe(1);
});
