import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { WebSocketClient } from '../../src/backend/WebSocketClient.js';
import { outboundBy } from '../support/outbound.js';
import { until } from '../support/until.js';

/** One read of a socket by Node. */
const CHUNK = 64 * 1024;

test('a flood of frames is read a chunk at a time, in order, and other work runs in between', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const connected = once(server, 'connection');
  const read: string[] = [];
  const perTurn: number[] = [];
  let bytes = 0;
  const nothing = () => undefined;
  const client = new WebSocketClient(
    {
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      headers: {},
      outbound: outboundBy(),
      now: Date.now,
    },
    {
      text(frame) {
        if (bytes === 0) setImmediate(endTurn);
        bytes += frame.length;
        read.push(frame.slice(0, 8));
      },
      opened: nothing,
      binary: nothing,
      ponged: nothing,
      lost: nothing,
      answeredAt: nothing,
    },
  );
  onTestFinished(() => client.terminate());
  function endTurn(): void {
    perTurn.push(bytes);
    bytes = 0;
  }
  const [peer] = await connected;
  const frames = Array.from({ length: 10_000 }, (_, number) => String(number).padStart(8, '0'));
  for (const frame of frames) peer.send(frame.padEnd(250, '.'));
  await until(
    () => read.length === frames.length,
    () => 'all frames',
  );
  expect(read).toEqual(frames);
  // The chunk that was read, and what Node had read behind it before it stopped.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(4 * CHUNK);
});
