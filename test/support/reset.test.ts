import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { reset } from './reset.js';

test.each(['open', 'just ending'])(
  'a connection that is %s is reset and closed, without an error',
  async (how) => {
    const server = createServer((peer) => peer.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    if (how === 'just ending') socket.end();
    const closed = once(socket, 'close');
    reset(socket);
    await closed;
    expect(errors).toEqual([]);
  },
);
