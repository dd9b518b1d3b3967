import { describe, expect, test } from 'vitest';
import { numberOf } from '../../src/commands/Commands.js';
import { sendVerdict } from '../../src/commands/handlers/sendMessage.js';
import type { SentRow } from '../../src/model/sending.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const PERSON = '+13105551234';
const START = Date.UTC(2026, 10, 29);
const HOUR_MS = 3_600_000;
const GAP = ledgerGap({
  ...{ generation: 'g', afterRow: 0, untilRow: 1, from: START - 1, until: START + 70_000 },
  ...{ activeUntil: START + 10_000, revisions: 5_000, copiedAt: START - 1 },
});
const SENT_IN_THE_GAP: SentRow = {
  rowId: 1,
  guid: 'row-1',
  conversation: PERSON,
  text: 'ok',
  service: 'iMessage',
  error: 0,
  sentAt: START + 5_000,
  isSent: true,
  isDelivered: false,
  isRead: false,
  wasDowngraded: false,
  ghostOf: null,
};

function world() {
  const clock = new FakeClock(START);
  const messages = new FakeMessages();
  const store = temporaryStore(clock);
  const outgoing = outgoingOn(store, messages, clock);
  const enqueue = (id: string, commandId?: string) =>
    outgoing.enqueue({
      id,
      conversation: PERSON,
      threadId: PERSON,
      text: 'ok',
      role: 'message',
      priority: 2,
      pauseMs: 0,
      ...(commandId === undefined ? {} : { commandId }),
    });
  return { clock, messages, store, outgoing, enqueue };
}

/** A store whose gap is found so long after the copy last ran, and a command without a timestamp that comes then. */
async function commandAfter(downForMs: number, via: 'http' | 'operator') {
  const { clock, messages, store, outgoing, enqueue } = world();
  messages.rows.push(SENT_IN_THE_GAP);
  clock.advance(10_000 + downForMs);
  store.write(() => {
    store.lineage.record({ id: 's', file: '1:1', counter: 7 }, { ...GAP, foundAt: clock.now() });
    store.lineage.noteGapRows([{ guid: SENT_IN_THE_GAP.guid, sentAt: SENT_IN_THE_GAP.sentAt }]);
    const body = JSON.stringify({ payload: {}, priority: 'normal', timestamp: null });
    store.commands.add({ commandId: 'c', commandType: 'send_message_now', bodyHash: '', via, body });
    enqueue('command:c', 'c');
  });
  await outgoing.start();
  return { state: store.sends.findById('command:c')?.state, texts: messages.texts };
}

test.each([60_000, HOUR_MS, 60 * HOUR_MS])(
  'a command that is offered again after a restore is not sent again, though the agent was down for %d ms',
  async (downForMs) => {
    expect(await commandAfter(downForMs, 'http')).toEqual({ state: 'unknown', texts: [] });
  },
);

describe('a command without a timestamp may have been sent before the restore until ten minutes after the backend could offer it', () => {
  const TEN_MINUTES_MS = HOUR_MS / 6;
  const restored = () => {
    const made = world();
    const { store } = made;
    store.write(() => store.lineage.record({ id: 's', file: '1:1', counter: 7 }, { ...GAP, foundAt: START }));
    const mark = () => store.write(() => store.lineage.endOffering(store.sends.newest()));
    /** The agent runs for so long, and records that every 30 s. */
    const awake = (ms: number) => {
      for (let left = ms; left > 0; left -= 30_000) {
        made.clock.advance(Math.min(left, 30_000));
        mark();
      }
    };
    return { ...made, mark, awake };
  };

  /** One that was restored, and to which the backend could offer commands for half of its time since. */
  const halfOffered = () => {
    const made = restored();
    made.store.lineage.noteOffering();
    made.awake(TEN_MINUTES_MS / 2);
    return made;
  };

  test('however long it is down', () => {
    const { clock, store, mark, awake } = restored();
    clock.advance(30 * HOUR_MS);
    mark();
    expect(store.lineage.isOfferedAgain()).toBe(true);
    store.lineage.noteOffering();
    awake(TEN_MINUTES_MS / 2);
    store.lineage.noteOffering();
    expect(store.lineage.isOfferedAgain()).toBe(true);
    awake(TEN_MINUTES_MS / 2);
    expect(store.lineage.isOfferedAgain()).toBe(false);
    store.close();
  });

  test('not counting the time in which it was away again', () => {
    const { clock, store, mark, awake } = halfOffered();
    store.lineage.pauseOffering();
    clock.advance(30 * HOUR_MS);
    mark();
    store.lineage.noteOffering();
    awake(TEN_MINUTES_MS / 2 - 1);
    expect(store.lineage.isOfferedAgain()).toBe(true);
    awake(1);
    expect(store.lineage.isOfferedAgain()).toBe(false);
    store.close();
  });

  test('not counting the time in which the Mac slept, by a clock that continues meanwhile', () => {
    const { clock, store, mark, awake } = halfOffered();
    clock.advance(8 * HOUR_MS);
    expect(store.lineage.isOfferedAgain()).toBe(true);
    mark();
    expect(store.lineage.isOfferedAgain()).toBe(true);
    awake(TEN_MINUTES_MS / 2);
    expect(store.lineage.isOfferedAgain()).toBe(false);
    store.close();
  });

  test('except for a command that may have been lost with a damaged store, within its two minutes', () => {
    const { clock, store } = restored();
    store.lineage.noteOffering();
    clock.advance(8 * HOUR_MS);
    expect(store.lineage.isOfferedAgain({ within: 120_000 })).toBe(true);
    store.close();
  });

  test('whichever way the clock is set meanwhile', () => {
    const { clock, store, mark, awake } = restored();
    clock.jumpWall(-HOUR_MS);
    store.lineage.noteOffering();
    clock.jumpWall(2 * HOUR_MS);
    mark();
    expect(store.lineage.isOfferedAgain()).toBe(true);
    clock.jumpWall(-5 * HOUR_MS);
    awake(TEN_MINUTES_MS);
    expect(store.lineage.isOfferedAgain()).toBe(false);
    store.close();
  });

  test('also where it waits for longer than that', () => {
    const { store, awake, enqueue } = restored();
    store.write(() => enqueue('came in time'));
    store.lineage.noteOffering();
    awake(TEN_MINUTES_MS);
    store.write(() => enqueue('came later'));
    const seqOf = (id: string) => store.sends.findById(id)?.seq ?? 0;
    expect(store.lineage.isOfferedAgain({ seq: seqOf('came in time') })).toBe(true);
    expect(store.lineage.isOfferedAgain({ seq: seqOf('came later') })).toBe(false);
    store.close();
  });

  test('which begin again in each run, and once the disk accepts what it had not', () => {
    const { store, awake } = restored();
    store.lineage.noteOffering();
    awake(TEN_MINUTES_MS - 1);
    store.lineage.forgetOffering();
    awake(TEN_MINUTES_MS);
    expect(store.lineage.isOfferedAgain()).toBe(true);
    store.close();
  });
});

test('what an operator sends by hand after a restore is sent: no backend offers it again', async () => {
  expect(await commandAfter(60_000, 'operator')).toEqual({ state: 'attempting', texts: ['ok'] });
});

test('an ack says that its store was restored, though the agent was down for a weekend', () => {
  const gap = { ...GAP, foundAt: START + 60 * HOUR_MS };
  const unknown = sendVerdict({ kind: 'unknown', message: 'nobody knows' });
  expect(numberOf(unknown, { revision: 0, receivedAt: gap.foundAt }, gap)).toMatchObject({
    isRestored: true,
  });
});

test('what is recorded about a gap is forgotten when the disk does not accept it', () => {
  const { store } = world();
  store.write(() =>
    store.lineage.record(
      { id: 's', file: '1:1', counter: 7 },
      { ...GAP, foundAt: START, areRowsNoted: false },
    ),
  );
  const fail = () => {
    store.lineage.noteGapRows([{ guid: 'row-1', sentAt: START }]);
    throw new Error('the disk is full');
  };
  expect(() => store.write(fail)).toThrow('the disk is full');
  expect(store.lineage.gap()?.areRowsNoted).toBe(false);
  expect(store.lineage.gapRows()).toEqual([]);
});

test('a start that is stopped while it settles earlier attempts sends no text', async () => {
  const { messages, store, outgoing, enqueue } = world();
  store.write(() => {
    enqueue('earlier');
    const seq = store.sends.findById('earlier')?.seq ?? 0;
    store.sends.begin(seq, { tag: 'tag', generation: 'g', afterRow: 0 });
    enqueue('next');
  });
  const leaving = new AbortController();
  const settle = () =>
    new Promise((resolve) => leaving.signal.addEventListener('abort', () => resolve(undefined)));
  Object.assign(messages, { settle });
  const started = outgoing.start();
  await outgoing.drain();
  outgoing.stop();
  leaving.abort();
  await started;
  expect(messages.texts).toEqual([]);
});
