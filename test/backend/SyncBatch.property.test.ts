import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedItems } from '../../src/backend/RefusedItems.js';
import { SyncBatch } from '../../src/backend/SyncExchange.js';
import type { QueuedAck, QueuedEvent } from '../../src/backend/settings.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';

const SEED = 20261214;
const LIMIT = 64 * 1024;

const event = (seq: number, bytes = 100): QueuedEvent => ({
  seq,
  eventId: `e${seq}`,
  eventType: 'message_sent',
  details: { text: 'x'.repeat(bytes) },
  timestamp: '2026-11-20T08:00:00.000Z',
});
const ack = (seq: number, bytes = 100): QueuedAck => ({
  seq,
  commandId: `c${seq}`,
  revision: 0,
  body: {
    ...{ command_id: `c${seq}`, status: 'completed', success: true, error: 'x'.repeat(bytes), revision: 0 },
    ...{ completed_at: '', timestamp: '' },
  } as QueuedAck['body'],
});

/** Both queues, and a backend that accepts what `takes` selects; accepted items are removed. */
function world(events: QueuedEvent[], acks: QueuedAck[]) {
  const queues = { events: [...events], acks: [...acks] };
  const source = <One extends { seq: number }>(list: () => One[]) => ({
    after: (seq: number, limit: number) =>
      list()
        .filter((one) => one.seq > seq)
        .slice(0, limit),
  });
  const clock = new FakeClock();
  const store = {
    events: { has: (seq: number) => queues.events.some((one) => one.seq === seq) },
    acks: {
      has: (id: string, revision: number) =>
        queues.acks.some((one) => one.commandId === id && one.revision === revision),
    },
  };
  const refused = new RefusedItems({ store, clock, log: new RecordingLog() });
  const batches = new SyncBatch(
    source(() => queues.events),
    source(() => queues.acks),
    refused,
  );
  return {
    queues,
    batches,
    refused,
    elapse: (ms: number) => clock.advance(ms),
    sync(refusal: (ids: string[]) => number | undefined) {
      const batch = batches.next();
      const ids = [
        ...batch.events.map(({ eventId }) => eventId),
        ...batch.acks.map(({ commandId }) => commandId),
      ];
      const status = refusal(ids);
      if (status !== undefined) {
        const isSmaller = batches.failed(batch, status === 413, `HTTP ${status}`);
        return { ids, isSmaller };
      }
      batches.succeeded();
      queues.events = queues.events.filter((one) => !batch.events.includes(one));
      queues.acks = queues.acks.filter((one) => !batch.acks.includes(one));
      return { ids, isSmaller: false };
    },
  };
}

const seqs = (most: number) =>
  fc.integer({ min: 0, max: most }).map((count) => Array.from({ length: count }, (_, index) => index + 1));

test(`whatever items a backend never accepts, and however few at a time, it gets all the others (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      seqs(40),
      seqs(40),
      fc.uniqueArray(fc.constantFrom('e1', 'e2', 'e7', 'e40', 'c1', 'c3', 'c39'), { maxLength: 4 }),
      fc.integer({ min: 1, max: 300 }),
      fc.constantFrom(400, 413, 422, 500),
      (eventSeqs, ackSeqs, poison, most, status) => {
        const { queues, sync } = world(
          eventSeqs.map((seq) => event(seq)),
          ackSeqs.map((seq) => ack(seq)),
        );
        const never = new Set<string>(poison);
        const isLeft = (id: string) => never.has(id);
        for (let round = 0; round < 1_500; round++) {
          sync((ids) => (ids.length > most || ids.some(isLeft) ? status : undefined));
          const left = [
            ...queues.events.map(({ eventId }) => eventId),
            ...queues.acks.map(({ commandId }) => commandId),
          ];
          if (left.every(isLeft)) return;
        }
        expect.unreachable(`left: ${JSON.stringify(queues)}`);
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
});

test('an item that is too large even alone is reported, offered again a minute later, then at growing intervals, and no longer reported once accepted', () => {
  const { sync, elapse, refused } = world([event(1), event(2)], []);
  const offered: string[][] = [];
  let isFixed = false;
  const refusal = (ids: string[]) => (ids.includes('e1') && !isFixed ? 413 : undefined);
  for (let round = 0; round < 6; round++) offered.push(sync(refusal).ids);
  expect(offered).toEqual([['e1', 'e2'], ['e1'], ['e2'], [], [], []]);
  expect(refused.problem()).toMatchObject({
    code: 'delivery_refused',
    message: 'The backend does not accept 1 event (event e1: HTTP 413). Everything else continues.',
  });
  for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
    elapse(minutes * 60_000 - 1);
    expect(sync(refusal).ids).toEqual([]);
    elapse(1);
    expect(sync(refusal).ids).toEqual(['e1']);
  }
  isFixed = true;
  refused.again();
  expect(sync(refusal).ids).toEqual(['e1']);
  expect(refused.problem()).toBeNull();
});

test.each([500, 422, 400])(
  'an item on which every sync fails with %d is left out of the next sync, so that commands come, and is reported in the end',
  (status) => {
    const { sync, elapse, refused } = world([event(1)], []);
    const offered: string[][] = [];
    for (let round = 0; round < 6; round++) {
      offered.push(sync((ids) => (ids.length > 0 ? status : undefined)).ids);
      elapse(15_000);
    }
    expect(offered).toEqual([['e1'], [], [], [], [], ['e1']]);
    for (let round = 0; round < 20 && refused.problem() === null; round++) {
      elapse(15_000);
      sync((ids) => (ids.length > 0 ? status : undefined));
    }
    expect(refused.problem()).toMatchObject({ code: 'delivery_refused' });
  },
);

test('an ack that is queued again, because its command is offered with each sync, keeps its wait and stays reported', () => {
  const { queues, sync, elapse, refused } = world([], [ack(1)]);
  const offered: number[] = [];
  for (let second = 0; second < 600; second += 15) {
    if (sync((ids) => (ids.length > 0 ? 413 : undefined)).ids.length > 0) offered.push(second);
    queues.acks = queues.acks.map((one) => ({ ...one, seq: one.seq + 1 }));
    expect(refused.problem()).toMatchObject({ code: 'delivery_refused' });
    expect(refused.acks()).toMatchObject({ count: 1, commands: 1 });
    elapse(15_000);
  }
  expect(offered).toEqual([0, 60, 180, 420]);
  queues.acks = queues.acks.map((one) => ({ ...one, revision: one.revision + 1 }));
  expect(refused.problem()).toBeNull();
});

test('while the backend accepts no sync at all, no item is blamed', () => {
  const { sync, elapse, refused } = world([event(1), event(2)], [ack(1)]);
  const offered = new Set<string>();
  for (let round = 0; round < 100; round++) {
    for (const id of sync(() => 503).ids) offered.add(id);
    elapse(60_000);
  }
  expect(refused.count).toBe(0);
  expect([...offered].toSorted()).toEqual(['c1', 'e1', 'e2']);
});

test(`the items of a sync stay below 64 KiB, unless one alone is larger, and all are sent (seed ${SEED})`, () => {
  const sizes = fc.array(fc.constantFrom(10, 1_000, 9_000, 27_000, 40_000, 100_000), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, sizes, (ofEvents, ofAcks) => {
      const { queues, sync } = world(
        ofEvents.map((bytes, index) => event(index + 1, bytes)),
        ofAcks.map((bytes, index) => ack(index + 1, bytes)),
      );
      const lengths = new Map(
        [
          ...queues.events.map((one) => [one.eventId, one] as const),
          ...queues.acks.map((one) => [one.commandId, one] as const),
        ].map(([id, one]) => [id, JSON.stringify(one).length]),
      );
      for (let round = 0; round < 200; round++) {
        const { ids } = sync(() => undefined);
        if (ids.length === 0) break;
        const sum = ids.reduce((bytes, id) => bytes + (lengths.get(id) ?? 0), 0);
        const largest = Math.max(...ids.map((id) => lengths.get(id) ?? 0));
        expect(sum).toBeLessThan(largest > LIMIT / 2.5 ? LIMIT + 2 * largest : LIMIT);
      }
      expect([queues.events, queues.acks]).toEqual([[], []]);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test('of many small ones, at most 200 of each kind are sent at a time', () => {
  const many = Array.from({ length: 500 }, (_, index) => index + 1);
  const { sync } = world(
    many.map((seq) => event(seq, 0)),
    [],
  );
  expect(sync(() => undefined).ids).toHaveLength(200);
});
