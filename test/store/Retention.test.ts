import { expect, test } from 'vitest';
import { Retention } from '../../src/store/Retention.js';
import { FakeClock } from '../support/FakeClock.js';
import { seeded } from '../support/seeded.js';
import { temporaryStore } from '../support/temporaryStore.js';

const DAY = 86_400_000;

function ack(commandId: string) {
  return {
    command_id: commandId,
    status: 'completed' as const,
    success: true,
    error: null,
    completed_at: '',
    timestamp: '',
    revision: 1,
  };
}

test('a command keeps its id and last ack for 90 days, its content and undelivered acks for 7', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const retention = new Retention(store, clock);
  store.write(() => {
    store.commands.add({
      commandId: 'c',
      commandType: 't',
      body: '{"text":"hi"}',
      bodyHash: 'h',
      via: 'http',
    });
    store.commands.finish(ack('c'));
    store.acks.add(ack('c'));
    store.commands.add({ commandId: 'open', commandType: 't', body: '{}', bodyHash: 'h', via: 'http' });
  });
  clock.advance(7 * DAY + 1);
  expect(retention.prune()).toBeGreaterThan(0);
  expect(store.acks.count()).toBe(0);
  expect(store.commands.find('c')).toMatchObject({ state: 'done', ack: { command_id: 'c' } });
  clock.advance(83 * DAY + 1);
  retention.prune();
  expect(store.commands.find('c')).toBeUndefined();
  expect(store.commands.find('open')).toBeDefined();
  expect(retention.prune()).toBe(0);
});

test('pruning continues in steps and ends with no timer left', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  store.write(() => {
    for (let n = 0; n < 1200; n++) store.events.add({ eventType: 'message_failed', details: {} });
  });
  clock.advance(8 * DAY);
  const retention = new Retention(store, clock);
  retention.start();
  clock.advance(1000);
  expect(store.events.count()).toBe(0);
  retention.stop();
  expect(clock.pending).toBe(0);
});

/** Events that were added at these times (ms from the start), by a clock that is set to each; which of them are left at the end. */
function eventsLeft(times: readonly number[], endAt: number): number[] {
  const clock = new FakeClock();
  const began = clock.now();
  const store = temporaryStore(clock);
  for (const at of times) {
    clock.jumpWall(began + at - clock.now());
    store.write(() => store.events.add({ eventType: 'message_failed', details: { at } }));
  }
  clock.jumpWall(began + endAt - clock.now());
  const retention = new Retention(store, clock);
  while (retention.prune() > 0);
  retention.prune();
  return store.events.after(0, 1000).map(({ details }) => Number(details.at));
}

test('a row dated by a clock that was ahead keeps nothing older from being deleted', () => {
  expect(eventsLeft([0, 365 * DAY, 1, 2, 366 * DAY], 8 * DAY)).toEqual([365 * DAY, 366 * DAY]);
});

test('whatever clocks were set, nothing is deleted before it is seven days old by its own date', () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = seeded(seed);
    const times = Array.from({ length: 30 }, () => Math.floor(random() * 40 * DAY));
    const endAt = 20 * DAY;
    const left = eventsLeft(times, endAt);
    const young = times.filter((at) => at >= endAt - 7 * DAY);
    expect(left.filter((at) => at >= endAt - 7 * DAY)).toEqual(young);
  }
});

test('a command that ended long after it arrived keeps its content for seven days from its end, and no other one longer', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const retention = new Retention(store, clock);
  const come = (commandId: string) =>
    store.write(() =>
      store.commands.add({
        commandId,
        commandType: 't',
        body: '{"timestamp":5}',
        bodyHash: 'h',
        via: 'http',
      }),
    );
  for (const id of ['late', 'soon', 'open']) come(id);
  store.write(() => store.commands.finish(ack('soon')));
  clock.advance(6 * DAY);
  store.write(() => store.commands.finish(ack('late')));
  clock.advance(2 * DAY);
  while (retention.prune() > 0);
  expect(['late', 'soon', 'open'].map((id) => store.commands.madeAt(id))).toEqual([5, null, 5]);
  clock.advance(6 * DAY);
  while (retention.prune() > 0);
  expect(['late', 'open'].map((id) => store.commands.madeAt(id))).toEqual([null, 5]);
});

test('judged rows of chat.db are forgotten after 31 days, however many there are', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const retention = new Retention(store, clock);
  const see = (guid: string) =>
    store.cursor.seen.add({
      guid,
      original: guid,
      conversation: 'ann',
      key: null,
      words: '',
      files: '',
      changed: false,
      seenAt: clock.now(),
    });
  store.write(() => {
    for (let n = 0; n < 1200; n++) see(`old-${n}`);
  });
  clock.advance(31 * DAY + 1);
  store.write(() => see('a-new'));
  while (retention.prune() > 0);
  expect([store.cursor.seen.has('old-0'), store.cursor.seen.has('old-1199')]).toEqual([false, false]);
  expect(store.cursor.seen.has('a-new')).toBe(true);
});
