import { describe, expect, onTestFinished, test } from 'vitest';
import { Acks } from '../../src/commands/Commands.js';
import { sendVerdict } from '../../src/commands/handlers/sendMessage.js';
import { worthAnsweringBy } from '../../src/incoming/forwarding.js';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { PostResult } from '../../src/model/incoming.js';
import { Scheduler } from '../../src/outgoing/Scheduler.js';
import { Retention } from '../../src/store/Retention.js';
import { type Clock, SteadyTime, systemClock } from '../../src/system/clock.js';
import { MessagesWorld, PERSON } from '../messages/chatdb/messagesWorld.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { makeBackend } from '../support/startBackend.js';
import { temporaryStore } from '../support/temporaryStore.js';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const JUMPS = [
  ['back a day', -DAY],
  ['ahead a year', 365 * DAY],
] as const;

/** The components through which a text is sent, now or at its time. */
async function sending(
  backend: Pick<ConstructorParameters<typeof Scheduler>[0], 'ageOf' | 'knowsBackendTime'> = {},
) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const log = new RecordingLog();
  const outgoing = outgoingOn(store, messages, clock);
  const scheduler = new Scheduler({
    store,
    texts: outgoing,
    acks: new Acks(store, clock),
    clock,
    log,
    settings: () => ({ maxLatenessMs: HOUR, acks: 'sent' }),
    ...backend,
  });
  const outcomes: string[] = [];
  outgoing.onOutcome((send, outcome) => {
    outcomes.push(outcome.kind);
    scheduler.textEnded(send, sendVerdict(outcome));
  });
  await outgoing.start();
  scheduler.start();
  const to = { conversation: PERSON, threadId: PERSON, priority: 2 };
  return {
    clock,
    store,
    messages,
    scheduler,
    outgoing,
    outcomes,
    send: (text: string, pauseMs = 0) =>
      store.write(() => outgoing.enqueue({ ...to, id: text, text, role: 'message', pauseMs })),
    schedule: (text: string, inMs: number) =>
      store.write(() => {
        const commandId = `cmd_${text}`;
        const command = { commandId, commandType: 't', body: '', bodyHash: '', via: 'http' };
        store.commands.add(command);
        scheduler.add({ ...to, commandId, text, sendAt: clock.now() + inMs });
      }),
    acks: () => store.acks.after(0, 100).map(({ body }) => body),
  };
}

describe('a text for later, when the clock is set', () => {
  test('back a day, waits until its time comes again, and is sent once', async () => {
    const { clock, messages, scheduler, schedule } = await sending();
    schedule('later', HOUR);
    clock.jumpWall(-DAY);
    scheduler.clockChanged();
    clock.advance(24 * HOUR);
    expect(messages.texts).toEqual([]);
    clock.advance(HOUR);
    expect(messages.texts).toEqual(['later']);
    await messages.succeed();
    clock.jumpWall(-DAY);
    scheduler.clockChanged();
    clock.advance(2 * DAY);
    expect(messages.texts).toEqual(['later']);
  });

  test('ahead a year, fails as too late and is acked once, even if the clock is set right again', async () => {
    const { clock, messages, scheduler, schedule, acks } = await sending();
    schedule('later', HOUR);
    clock.jumpWall(365 * DAY);
    scheduler.clockChanged();
    clock.jumpWall(-365 * DAY);
    scheduler.clockChanged();
    clock.advance(DAY);
    expect(messages.texts).toEqual([]);
    expect(acks()).toMatchObject([
      { command_id: 'cmd_later', status: 'failed', result: { retry_safe: true } },
    ]);
  });
});

describe('a scheduled text at a start by a clock that is two hours ahead', () => {
  test('waits until the backend has sent its time, and is sent; others are sent meanwhile', async () => {
    let heardAt: number | undefined;
    const { clock, messages, schedule } = await sending({
      ageOf: (at) => clock.now() - at - (heardAt === undefined ? 0 : 2 * HOUR),
      knowsBackendTime: () => heardAt !== undefined,
    });
    schedule('due in truth', -2 * HOUR);
    clock.advance(60_000);
    expect(messages.texts).toEqual([]);
    schedule('due by this clock too', 0);
    expect(messages.texts).toEqual(['due by this clock too']);
    await messages.succeed();
    heardAt = clock.now();
    clock.advance(5_000);
    expect(messages.texts).toEqual(['due by this clock too', 'due in truth']);
  });

  test('delays no other, however many wait so', async () => {
    const { messages, clock, schedule } = await sending({ knowsBackendTime: () => false });
    for (let n = 0; n < 101; n++) schedule(`late ${n}`, -2 * HOUR - n);
    schedule('due', -1_000);
    schedule('due soon', 500);
    clock.advance(0);
    expect(messages.texts).toEqual(['due']);
    await messages.succeed();
    clock.advance(500);
    expect(messages.texts).toEqual(['due', 'due soon']);
  });

  test('fails as too late where the backend sends nothing for ten minutes', async () => {
    const { clock, messages, schedule, acks } = await sending({ knowsBackendTime: () => false });
    schedule('later', -2 * HOUR);
    clock.advance(9 * 60_000);
    expect(acks()).toEqual([]);
    clock.advance(2 * 60_000);
    expect(messages.texts).toEqual([]);
    expect(acks()).toMatchObject([
      { command_id: 'cmd_later', status: 'failed', result: { retry_safe: true } },
    ]);
  });
});

describe.each(JUMPS)('when the clock is set %s', (_name, jump) => {
  test('a text in progress gets its one outcome in time, and the next one follows', async () => {
    const { clock, messages, outcomes, send } = await sending();
    send('first');
    send('second', 800);
    clock.jumpWall(jump);
    await messages.end({ kind: 'accepted' });
    clock.advance(9_000);
    expect(outcomes).toEqual([]);
    clock.advance(1_100);
    expect(outcomes).toEqual(['unknown']);
    expect(messages.texts).toEqual(['first', 'second']);
    clock.jumpWall(-jump);
    await messages.succeed();
    expect(outcomes).toEqual(['unknown', 'sent']);
    clock.advance(DAY);
    expect(messages.texts).toEqual(['first', 'second']);
  });

  test('a message that waits for a retry is posted within a minute, and neither expired nor posted twice', async () => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const limits = { maxAgeMs: 6 * HOUR, catchUpMs: DAY };
    const results: PostResult[] = [
      { kind: 'retry', cause: 'server', status: 500, detail: '500' },
      { kind: 'answered', body: { should_respond: false } },
    ];
    const posted: string[] = [];
    const forwarder = new MessageDispatcher({
      store,
      backend: {
        postMessage: async (_body, guid) => {
          posted.push(guid);
          return results.shift() ?? { kind: 'known' };
        },
      },
      replies: { enqueue: () => undefined },
      clock,
      random: () => 0.5,
      log: new RecordingLog(),
      worthAnswering: worthAnsweringBy({
        clock,
        ageOf: (madeAt) => clock.now() - madeAt,
        outages: store.outages,
        limits: () => limits,
      }),
      settings: () => ({ bubbleDelayMs: 0 }),
    });
    forwarder.start();
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    const reader = world.reader(store);
    store.write(() =>
      store.cursor.set({ generation: world.chatDb.generation() ?? '', rowId: 0, guid: null }),
    );
    reader.scan();
    await clock.advanceAsync(0);
    clock.jumpWall(jump);
    await clock.advanceAsync(60_000);
    const [guid] = posted;
    expect(posted).toEqual([guid, guid]);
    expect(store.incoming.countOpen()).toBe(0);
    await clock.advanceAsync(DAY);
    expect(posted).toHaveLength(2);
  });

  test('messages are still read, and an incomplete row is waited for no longer than before', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    const reader = world.reader(store);
    world.receive({ from: PERSON, text: 'before' });
    store.write(() =>
      store.cursor.set({ generation: world.chatDb.generation() ?? '', rowId: 0, guid: null }),
    );
    reader.scan();
    const incomplete = world.receive({ from: PERSON, text: 'in pieces', stages: ['row'] });
    reader.scan();
    world.clock.jumpWall(jump);
    incomplete.write('text');
    incomplete.write('chat');
    world.receive({ from: PERSON, text: 'after' });
    reader.scan();
    world.clock.advance(3_000);
    expect(world.texts).toContain('before');
    expect(world.texts).toContain('after');
    expect(store.cursor.pending()).toEqual([]);
  });

  test('no command id is forgotten, so that none is executed again', () => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const retention = new Retention(store, clock);
    store.write(() => {
      store.commands.add({ commandId: 'c', commandType: 't', body: '{}', bodyHash: 'h', via: 'http' });
      new Acks(store, clock).give('c', { kind: 'completed' });
    });
    clock.jumpWall(jump);
    retention.prune();
    expect(store.commands.find('c')).toBeDefined();
    expect(store.acks.count()).toBe(1);
  });

  test('the link stays or comes back on its own, brings commands and accepts acks', async () => {
    const fake = await FakeBackend.start();
    onTestFinished(() => fake.stop());
    let offset = 0;
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + offset };
    const made = makeBackend(fake, { options: { clock } });
    onTestFinished(() => made.stop());
    made.backend.start();
    const online = () => fake.until(() => made.backend.view().state === 'online', 'the link to be online');
    await online();
    offset = jump;
    made.backend.wake();
    await fake.until(() => fake.framesOf('ping').length >= 3, 'pings after the jump');
    await online();
    fake.push({ command_id: 'after', command_type: 'list_scheduled', payload: {} });
    await fake.until(() => made.received.length === 1, 'a command');
    made.store.write(() => {
      made.store.commands.add({ commandId: 'after', commandType: 't', body: '', bodyHash: '', via: 'x' });
      new Acks(made.store, clock).give('after', { kind: 'completed' });
    });
    await fake.until(() => fake.framesOf('command_ack').length >= 1, 'the ack');
    await fake.until(() => made.store.acks.count() === 0, 'the ack to be cleared');
    expect(fake.mostOpen).toBeLessThanOrEqual(2);
  });
});

describe.each([
  ['ten minutes', 600_000],
  ['just under an hour', 3_599_000],
  ['a day', DAY],
])('a message that failed while the clock was %s ahead', (_name, ahead) => {
  test.each([
    ['the same run', false],
    ['the next run', true],
  ])('is posted within a minute after the clock was set right, in %s', async (_life, isRestarted) => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const results: PostResult[] = [{ kind: 'retry', cause: 'server', status: 500, detail: '500' }];
    const posted: string[] = [];
    const open = () =>
      new MessageDispatcher({
        store,
        backend: {
          postMessage: async (_body, guid) => {
            posted.push(guid);
            return results.shift() ?? { kind: 'known' };
          },
        },
        ...{ replies: { enqueue: () => undefined }, clock, random: () => 0.5, log: new RecordingLog() },
        ...{ worthAnswering: () => true, settings: () => ({ bubbleDelayMs: 0 }) },
      });
    clock.jumpWall(ahead);
    const first = open();
    first.start();
    store.write(() =>
      store.incoming.add({
        ...{
          guid: 'waiting',
          conversation: PERSON,
          threadId: PERSON,
          chatGuid: '',
          sender: PERSON,
          text: 'hi',
        },
        ...{ rowId: 1, sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' },
        ...{ replyToGuid: null, attachments: [] },
      }),
    );
    await clock.advanceAsync(10);
    expect(posted).toEqual(['waiting']);
    if (isRestarted) await first.stop();
    clock.jumpWall(-ahead);
    if (isRestarted) open().start();
    await clock.advanceAsync(61_000);
    expect(posted).toEqual(['waiting', 'waiting']);
  });
});

describe('a text that was tried while the clock was an hour ahead, by a run that crashed', () => {
  async function triedAhead() {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const messages = new FakeMessages();
    const boots: boolean[] = [];
    messages.settle = (tag, isSameBoot) => {
      boots.push(isSameBoot ?? false);
      return Promise.resolve({ dispatched: messages.dispatchedBeforeDeath.has(tag) });
    };
    const outcomes: string[] = [];
    const live = (boot: string) => {
      const outgoing = outgoingOn(store, messages, clock, {}, { boot });
      outgoing.onOutcome((_, outcome) => outcomes.push(outcome.kind));
      return outgoing;
    };
    const first = live('one boot');
    await first.start();
    clock.jumpWall(HOUR);
    const to = { conversation: PERSON, threadId: PERSON, role: 'message', priority: 2, pauseMs: 0 } as const;
    store.write(() => first.enqueue({ ...to, id: 'a', text: 'a' }));
    first.stop();
    return { clock, messages, outcomes, live, boots };
  }

  test('is proven by its row, which is dated an hour before', async () => {
    const { clock, messages, outcomes, live } = await triedAhead();
    messages.dispatchedBeforeDeath.add(messages.started[0]?.tag ?? '');
    clock.jumpWall(-HOUR);
    messages.addRow(PERSON, 'a');
    Object.assign(messages.rows.at(-1) ?? {}, { sentAt: clock.now() });
    await live('one boot').start();
    await clock.advanceAsync(11_000);
    expect(outcomes).toEqual(['sent']);
  });

  test.each([
    ['ahead by another hour', HOUR],
    ['back', -HOUR],
    ['back a day', -DAY],
  ])('is known to be of the same boot when the clock was set %s', async (_, jump) => {
    const { clock, messages, live, boots } = await triedAhead();
    clock.jumpWall(jump);
    await live('one boot').start();
    await clock.advanceAsync(100);
    expect(boots).toEqual([true]);
    expect(messages.texts).toEqual(['a', 'a']);
  });

  test('is known to be of another boot, though the clock was set back to before it', async () => {
    const { clock, messages, live, boots } = await triedAhead();
    clock.jumpWall(-DAY);
    await live('another boot').start();
    expect(boots).toEqual([false]);
    expect(messages.texts.length).toBeGreaterThan(0);
  });
});

describe('when the clock is set ahead between two runs', () => {
  test('the row of a text is looked for as long as before', async () => {
    const { clock, store, messages, send } = await sending();
    send('first');
    await messages.end({ kind: 'accepted' });
    clock.jumpWall(365 * DAY);
    const outcomes: string[] = [];
    const next = outgoingOn(store, messages, clock);
    next.onOutcome((_, outcome) => outcomes.push(outcome.kind));
    await next.start();
    await clock.advanceAsync(9_000);
    expect(outcomes).toEqual([]);
    await messages.succeed();
    next.chatChanged();
    expect(outcomes).toEqual(['sent']);
  });

  test('an incomplete row is waited for as long as before', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    world.receive({ from: PERSON, text: 'before' });
    store.write(() =>
      store.cursor.set({ generation: world.chatDb.generation() ?? '', rowId: 0, guid: null }),
    );
    const first = world.reader(store);
    first.scan();
    const incomplete = world.receive({ from: PERSON, text: 'in pieces', stages: ['row'] });
    first.scan();
    first.stop();
    world.clock.jumpWall(HOUR);
    world.reader(store).scan();
    world.clock.advance(300);
    incomplete.write('text');
    incomplete.write('chat');
    world.clock.advance(3_000);
    expect(world.texts).toContain('in pieces');
  });
});

describe('stored times', () => {
  test.each([
    ['ahead', HOUR],
    ['back', -HOUR],
  ])('of a retry: it is due in its time when the clock is set %s', (_, jump) => {
    const clock = new FakeClock();
    const steady = new SteadyTime(clock);
    const due = steady.now() + 8_000;
    clock.jumpWall(jump);
    expect(steady.left(due, 60_000)).toBe(8_000);
    clock.advance(8_000);
    expect(steady.left(due, 60_000)).toBe(0);
  });

  test('of a retry that an earlier run delayed by a clock that was ahead: it is due', () => {
    const clock = new FakeClock();
    const due = clock.now() + HOUR;
    expect(new SteadyTime(clock).left(due, 60_000)).toBe(0);
  });

  test.each([HOUR, -HOUR])('of a wait: it is never cut short, by a jump of %d ms or a restart', (jump) => {
    const clock = new FakeClock();
    const steady = new SteadyTime(clock);
    const since = steady.now();
    clock.jumpWall(jump);
    clock.advance(500);
    expect(steady.waited(since)).toBeLessThanOrEqual(500);
    expect(new SteadyTime(clock).waited(since)).toBe(0);
  });
});

test('a gap in the ledger that ends in the future ends once the clock is known to be right', () => {
  const clock = new FakeClock();
  const { lineage, write } = temporaryLineage(clock);
  write(() =>
    lineage.record({ id: 's', file: 'f', counter: 1 }, ledgerGap({ until: clock.now() + HOUR, foundAt: 0 })),
  );
  write(() => lineage.endGapBy(clock.now(), () => false));
  expect(lineage.gap()?.until).toBe(clock.now() + HOUR);
  write(() => lineage.endGapBy(clock.now(), () => true));
  expect(lineage.gap()?.until).toBe(clock.now());
});

function temporaryLineage(clock: FakeClock) {
  const store = temporaryStore(clock);
  return { lineage: store.lineage, write: (work: () => void) => store.write(work) };
}
