import { expect, test } from 'vitest';
import { Acks } from '../../src/commands/Commands.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const PERSON = '+13105551234';

/** Three texts that are due in a second; the second one has damaged data in the store. */
function room() {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const store = temporaryStore(clock, directory);
  const queued: string[] = [];
  const scheduler = new Scheduler({
    store,
    texts: {
      // As the store does, it forgets what a write that fails has queued.
      enqueue: ({ text }) => store.afterCommit(() => void queued.push(text)),
      mayHaveGoneOut: () => 'no',
    },
    acks: new Acks(store, clock),
    clock,
    log: new RecordingLog(),
    settings: () => ({ maxLatenessMs: 60_000, acks: 'sent' }),
  });
  for (const text of ['first', 'second', 'third'])
    store.write(() => {
      store.commands.add({ commandId: text, commandType: 't', body: '', bodyHash: '', via: 'http' });
      scheduler.add({
        ...{ commandId: text, conversation: PERSON, threadId: PERSON, text, priority: 2 },
        ...{ sendAt: clock.now() + 1_000, files: [{ name: 'x.png', path: '/staged/x.png' }] },
      });
    });
  const database = openDatabase(`${directory}/edge-agent.db`);
  database.prepare("UPDATE schedule SET files = '[{' WHERE text = 'second'").run();
  database.close();
  return { clock, store, scheduler, queued };
}

test('a scheduled text whose handling throws is set aside and acked, and those beside it are sent at their time', () => {
  const { clock, store, scheduler, queued } = room();
  scheduler.start();
  clock.advance(1_000);
  expect(queued).toEqual(['first', 'third']);
  expect(scheduler.list(undefined).map(({ message_text, status }) => [message_text, status])).toEqual([
    ['first', 'sending'],
    ['second', 'failed'],
    ['third', 'sending'],
  ]);
  expect(store.acks.after(0, 9).map(({ commandId, body }) => [commandId, body.status, body.error])).toEqual([
    ['second', 'failed', expect.stringContaining('internal: ')],
  ]);
  expect(store.setAside.recent(9).map(({ kind }) => kind)).toContain('scheduled');
  clock.advance(60_000);
  expect(queued).toEqual(['first', 'third']);
  scheduler.stop();
});

test('a text that waits a month is on time by the wall clock, although that was corrected by seconds each hour', () => {
  const { clock, store, scheduler, queued } = room();
  scheduler.start();
  clock.advance(1_000);
  const hour = 3_600_000;
  const sendAt = clock.now() + 30 * 24 * hour;
  store.write(() => {
    store.commands.add({ commandId: 'late', commandType: 't', body: '', bodyHash: '', via: 'http' });
    scheduler.add({
      ...{ commandId: 'late', conversation: PERSON, threadId: PERSON, text: 'a month on', priority: 2 },
      sendAt,
    });
  });
  while (clock.now() < sendAt - 2 * hour) {
    clock.advance(hour);
    clock.jumpWall(5_000);
  }
  clock.advance(sendAt - 1 - clock.now());
  expect(queued).not.toContain('a month on');
  clock.advance(1);
  expect(queued).toContain('a month on');
  scheduler.stop();
});

test('10 000 texts due in one second are passed on in slices, so that other work runs in between', () => {
  const { clock, store, scheduler } = room();
  const queued: string[] = [];
  const slices: number[] = [];
  const sendAt = clock.now() + 5_000;
  store.write(() => {
    for (let number = 0; number < 10_000; number++) {
      const text = `text-${number}`;
      store.commands.add({ commandId: text, commandType: 't', body: '', bodyHash: '', via: 'http' });
      scheduler.add({
        ...{ commandId: text, conversation: PERSON, threadId: PERSON, text, priority: 2 },
        sendAt,
      });
    }
  });
  store.schedule.setState = counting(store.schedule.setState.bind(store.schedule), queued);
  scheduler.start();
  clock.advance(4_000);
  queued.splice(0);
  // Each timer is a turn of the loop.
  const after = clock.after.bind(clock);
  clock.after = (ms, run) =>
    after(ms, () => {
      const before = queued.length;
      run();
      slices.push(queued.length - before);
    });
  clock.advance(1_000);
  expect(queued).toHaveLength(10_000);
  expect(Math.max(...slices)).toBeLessThanOrEqual(100);
  scheduler.stop();
});

/** The same, noting what was begun to be sent. */
function counting<Args extends [string, string, ...unknown[]]>(
  set: (...args: Args) => void,
  begun: string[],
) {
  return (...args: Args): void => {
    if (args[1] === 'sending') begun.push(args[0]);
    set(...args);
  };
}
