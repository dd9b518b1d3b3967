import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import {
  type Notice,
  type PushedCommand,
  readNotice,
  writeNotice,
} from '../../../src/gateway/replicas/notices.js';
import { NOTIFY_LIMIT_BYTES } from '../../../src/gateway/storage/GatewayDatabase.js';
import { anyText } from '../../support/anyText.js';

const box = new SecretBox(Buffer.alloc(32, 1));

function notifications(notice: Notice): string[] {
  const payloads: string[] = [];
  for (let rest = notice; rest.wake.length + rest.taken.length > 0; ) {
    const written = writeNotice(rest, box);
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
        const read = payloads.map((payload) => readNotice(payload, box));
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
  const read = payloads.map((payload) => readNotice(payload, box));
  expect(read.flatMap((notice) => notice?.wake ?? [])).toEqual(['a']);
  expect(read.flatMap((notice) => notice?.taken ?? [])).toEqual([['b', 2]]);
});

test.each(['', 'wake', '[]', '{"wake":"a"}', '{"taken":[["a"]]}'])('%j is no notice', (payload) => {
  expect(readNotice(payload, box)).toBeUndefined();
});

test('a notice of a newer version is read for what is known of it', () => {
  expect(readNotice('{"wake":["a"],"later":1}', box)).toEqual({ wake: ['a'], taken: [], push: [] });
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
  const read = notifications({ wake, taken: [], push }).map((payload) => readNotice(payload, box));
  expect(read).toEqual([{ wake, taken: [], push: push.slice(0, 1) }]);
});

test('commands for more agents than one notification has room for stay with their agents', () => {
  const wake = Array.from({ length: 600 }, (_, index) => `edge_agent_${index}`);
  const push = wake.map((agentId, index): PushedCommand => [agentId, index + 1, command(agentId, 'hello')]);
  const read = notifications({ wake, taken: [], push }).map((payload) => readNotice(payload, box));
  expect(read.flatMap((notice) => notice?.wake)).toEqual(wake);
  for (const notice of read)
    for (const [agentId, position] of notice?.push ?? [])
      expect([notice?.wake.includes(agentId), wake[position - 1]]).toEqual([true, agentId]);
});

test('a command is not read by one who has another key, who is woken to ask for it', () => {
  const push: PushedCommand[] = [['a', 7, command('m1', 'hello')]];
  const [payload = ''] = notifications({ wake: ['a'], taken: [], push });
  expect(payload).not.toContain('hello');
  expect(readNotice(payload, new SecretBox(Buffer.alloc(32, 2)))).toEqual({
    wake: ['a'],
    taken: [],
    push: [],
  });
});

test('a command is read by one who has the new key and the one before', () => {
  const push: PushedCommand[] = [['a', 7, command('m1', 'ä 👍')]];
  const [payload = ''] = notifications({ wake: ['a'], taken: [], push });
  const rekeyed = new SecretBox(Buffer.alloc(32, 2), [Buffer.alloc(32, 1)]);
  expect(readNotice(payload, rekeyed)).toEqual({ wake: ['a'], taken: [], push });
});

test('commands of many bytes fill no notification beyond what PostgreSQL accepts', () => {
  fc.assert(
    fc.property(fc.array(anyText({ maxLength: 4_000 }), { minLength: 1, maxLength: 8 }), (texts) => {
      const wake = texts.map((_, index) => `a${index}`);
      const push = texts.map((text, index): PushedCommand => [`a${index}`, 1, command('m', text)]);
      for (const payload of notifications({ wake, taken: [], push }))
        expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(NOTIFY_LIMIT_BYTES);
    }),
    { numRuns: 100 },
  );
});
