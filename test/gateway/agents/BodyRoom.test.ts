import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { BodyRoom, SMALL_BYTES, STRANGERS } from '../../../src/gateway/agents/BodyRoom.js';

const LARGE = 200_000;

function body(bytes?: number): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  if (bytes !== undefined) request.headers['content-length'] = String(bytes);
  return request;
}

test('one caller whose bodies come slowly leaves room for the others', () => {
  const room = new BodyRoom(4 * LARGE);
  const first = room.take(body(LARGE), 9 * LARGE, 'one');
  expect(first).toBeTypeOf('function');
  expect(room.take(body(LARGE), 9 * LARGE, 'one')).toBeUndefined();
  expect(room.take(body(SMALL_BYTES), 9 * LARGE, 'one')).toBeTypeOf('function');
  expect(room.take(body(3 * LARGE), 9 * LARGE, 'other')).toBeTypeOf('function');
  expect(room.take(body(LARGE), 9 * LARGE, 'third')).toBeUndefined();
  first?.();
  first?.();
  expect(room.take(body(LARGE), 9 * LARGE, 'one')).toBeTypeOf('function');
  expect(room.take(body(LARGE), 9 * LARGE, 'third')).toBeUndefined();
});

test('what all strangers send at once is bounded, however small and without a length', () => {
  const room = new BodyRoom(16 * SMALL_BYTES);
  const taken = Array.from({ length: 10 }, () => room.take(body(), SMALL_BYTES, STRANGERS));
  expect(taken.filter((giveBack) => giveBack !== undefined)).toHaveLength(4);
  expect(room.take(body(SMALL_BYTES), SMALL_BYTES, 'an agent')).toBeTypeOf('function');
  for (const giveBack of taken) giveBack?.();
  expect(room.take(body(), SMALL_BYTES, STRANGERS)).toBeTypeOf('function');
});
