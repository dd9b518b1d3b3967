import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HalfOpen } from '../../src/system/HalfOpen.js';
import { FakeClock } from '../support/FakeClock.js';

test('a crowd that arrives within the time in which none gives way leaves a place for a request', async () => {
  const server = createServer((_, response) => response.end('here'));
  server.maxConnections = 20;
  // No time passes: the crowd is as quick as can be.
  new HalfOpen(4, new FakeClock()).watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  for (let index = 0; index < 40; index += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    onTestFinished(() => {
      socket.destroy();
    });
  }
  const [response] = await once(get({ port, host: '127.0.0.1' }), 'response');
  expect(response.statusCode).toBe(200);
});
