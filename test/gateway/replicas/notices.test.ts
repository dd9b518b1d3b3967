import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Notice,
  type PushedCommand,
  readNotice,
  writeNotice,
} from '../../../src/gateway/replicas/notices.js';
import { NOTIFY_LIMIT_BYTES } from '../../../src/gateway/storage/GatewayDatabase.js';
import { anyText } from '../../support/anyText.js';

function notifications(notice: Notice): string[] {
  const payloads: string[] = [];
  for (let rest = notice; rest.wake.length + rest.taken.length > 0; ) {
    const written = writeNotice(rest);
    payloads.push(written.payload);
    rest = written.rest;
  }
  return payloads;
}

const agentId = fc.oneof(anyText({ maxLength: 40 }), fc.string({ maxLength: 1_500 }));

test('every notice arrives once, in notifications that PostgreSQL accepts', () => {
  fc.assert(
    fc.property(
      fc.array(agentId, { maxLength: 300 }),
      fc.array(fc.tuple(agentId, fc.nat()), { maxLength: 300 }),
      (wake, taken) => {
        const payloads = notifications({ wake, taken, push: [] });
        for (const payload of payloads) {
          expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(NOTIFY_LIMIT_BYTES);
        }
        const read = payloads.map((payload) => readNotice(payload));
        expect(read.flatMap((notice) => notice?.wake ?? [])).toEqual(wake);
        expect(read.flatMap((notice) => notice?.taken ?? [])).toEqual(taken);
      },
    ),
    { numRuns: 200 },
  );
});

test('two thousand agents need a handful of notifications', () => {
  const wake = Array.from({ length: 2_000 }, (_, index) => `edge_agent_${index}`);
  expect(notifications({ wake, taken: [], push: [] }).length).toBeLessThan(6);
});

test('an id that fits into no notification is left out and does not block the others', () => {
  const long = 'x'.repeat(8_000);
  const payloads = notifications({
    wake: [long, 'a'],
    taken: [
      [long, 1],
      ['b', 2],
    ],
    push: [],
  });
  const read = payloads.map((payload) => readNotice(payload));
  expect(read.flatMap((notice) => notice?.wake ?? [])).toEqual(['a']);
  expect(read.flatMap((notice) => notice?.taken ?? [])).toEqual([['b', 2]]);
});

test.each(['', 'wake', '[]', '{"wake":"a"}', '{"taken":[["a"]]}'])('%j is no notice', (payload) => {
  expect(readNotice(payload)).toBeUndefined();
});

test('a notice of a newer version is read for what is known of it', () => {
  expect(readNotice('{"wake":["a"],"later":1}')).toEqual({ wake: ['a'], taken: [], push: [] });
});

const command = (id: string, text: string) => ({
  command_id: id,
  command_type: 'send_message_now',
  payload: { text },
  priority: 'normal',
  timestamp: '2026-12-01T08:00:00.000Z',
});

test('a command goes only with the wake-up of its agent, once, and only where it fits', () => {
  const wake = ['a', 'b', 'c'];
  const push: PushedCommand[] = [
    ['a', 7, command('m1', 'hello')],
    ['b', 1, command('m2', 'x'.repeat(7_900))],
    ['c', 2, command('m3', 'hello')],
  ];
  const read = notifications({ wake, taken: [], push }).map((payload) => readNotice(payload));
  expect(read).toEqual([{ wake, taken: [], push: push.slice(0, 1) }]);
});

test('commands for more agents than one notification has room for stay with their agents', () => {
  const wake = Array.from({ length: 600 }, (_, index) => `edge_agent_${index}`);
  const push = wake.map((agentId, index): PushedCommand => [agentId, index + 1, command(agentId, 'hello')]);
  const read = notifications({ wake, taken: [], push }).map((payload) => readNotice(payload));
  expect(read.flatMap((notice) => notice?.wake)).toEqual(wake);
  for (const notice of read)
    for (const [agentId, position] of notice?.push ?? [])
      expect([notice?.wake.includes(agentId), wake[position - 1]]).toEqual([true, agentId]);
});
