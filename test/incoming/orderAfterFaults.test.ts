import { describe, expect, test } from 'vitest';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { PostResult } from '../../src/model/incoming.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const NO_REPLY: PostResult = { kind: 'answered', body: { should_respond: false } };
const REPLY = (text: string): PostResult => ({ kind: 'answered', body: { reply_text: text } });
const DOWN: PostResult = { kind: 'retry', cause: 'network', unread: true, detail: 'ECONNREFUSED' };
const ASLEEP: PostResult = { kind: 'retry', cause: 'busy', retryAfterMs: 600_000, detail: '503' };
const ANN = '+13105551234';

/** A forwarder and what sends its replies, on a real store; each post is answered when the test says so. */
async function exchange() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const posted: { guid: string; sequence: unknown }[] = [];
  const ends = new Map<string, (result: PostResult) => void>();
  const log = new RecordingLog();
  const live = async () => {
    const outgoing = outgoingOn(store, messages, clock);
    await outgoing.start();
    const forwarder = new MessageDispatcher({
      store,
      backend: {
        postMessage(body, guid, progress) {
          posted.push({ guid, sequence: body.sequence });
          progress.onWritten();
          return new Promise((resolve) => ends.set(guid, resolve));
        },
      },
      replies: outgoing,
      clock,
      random: () => 0.5,
      log,
      worthAnswering: () => true,
      settings: () => ({ bubbleDelayMs: 0 }),
    });
    forwarder.start();
    return { outgoing, forwarder };
  };
  let life = await live();
  return {
    clock,
    store,
    posted,
    /** The guids that were posted, in order. */
    guids: () => posted.map(({ guid }) => guid),
    arrive: (guid: string, conversation = ANN) =>
      store.write(() =>
        store.incoming.add({
          ...{ guid, rowId: 1, conversation, threadId: conversation, chatGuid: '', sender: conversation },
          ...{ text: 'hi', sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' },
          ...{ replyToGuid: null, attachments: [] },
        }),
      ),
    async answer(guid: string, result: PostResult) {
      ends.get(guid)?.(result);
      await new Promise((resolve) => setImmediate(resolve));
    },
    reflex: (id: string, text: string) =>
      store.write(() =>
        life.outgoing.enqueue({
          ...{ id, conversation: ANN, threadId: ANN, text, role: 'reflex', priority: 2, pauseMs: 0 },
        }),
      ),
    /** A kill and a start: what ran before does nothing any more. */
    async restart(downMs = 0) {
      void life.forwarder.stop();
      life.outgoing.stop();
      clock.advance(downMs);
      life = await live();
    },
    /** Lets all texts be sent; they are returned in order. */
    async sent() {
      for (let seen = 0; seen < messages.texts.length; seen += 1) await messages.succeed();
      return messages.texts;
    },
    /** The disk does not take a write in which two conversations become one. */
    refuseMerge(from: string, to: string) {
      expect(() =>
        store.write(() => {
          store.rekey(new Map([[from, to]]), (_, text) => text);
          store.beforeCommit(() => {
            throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
          });
        }),
      ).toThrow('full');
    },
  };
}

describe('a merge of conversations that the disk does not accept', () => {
  test.each([1, 2])('leaves %i in flight where it was: the next message is posted', async (underWay) => {
    const { arrive, answer, refuseMerge, guids, clock } = await exchange();
    arrive('a1', 'old');
    if (underWay === 2) {
      clock.advance(2_000);
      arrive('a2', 'old');
    }
    arrive('a3', 'old');
    refuseMerge('old', 'new');
    await clock.advanceAsync(5_000);
    await answer('a1', NO_REPLY);
    if (underWay === 2) await answer('a2', NO_REPLY);
    await clock.advanceAsync(5_000);
    expect(guids().at(-1)).toBe('a3');
  });

  test('does not lose the reply that waits for an earlier one', async () => {
    const { arrive, answer, refuseMerge, clock, sent } = await exchange();
    arrive('a1', 'old');
    arrive('a2', 'old');
    clock.advance(2_000);
    await answer('a2', REPLY('second'));
    refuseMerge('old', 'new');
    await clock.advanceAsync(15_000);
    expect(await sent()).toEqual(['second']);
  });
});

describe('a message that is unsent', () => {
  test('does not delay the next one for as long as its own retry was put off', async () => {
    const { arrive, answer, store, guids, clock } = await exchange();
    arrive('m1');
    await answer('m1', ASLEEP);
    arrive('m2');
    store.write(() => store.incoming.withdraw('m1'));
    await clock.advanceAsync(1_000);
    expect(guids()).toEqual(['m1', 'm2']);
  });

  test('releases the reply that waited for it', async () => {
    const { arrive, answer, store, clock, sent } = await exchange();
    arrive('m1');
    arrive('m2');
    clock.advance(2_000);
    await answer('m2', REPLY('second'));
    store.write(() => store.incoming.withdraw('m1'));
    expect(await sent()).toEqual(['second']);
  });

  test('does not let a later reply pass the one that waited', async () => {
    const { arrive, answer, store, clock, sent } = await exchange();
    for (const guid of ['m1', 'm2', 'm3']) {
      arrive(guid);
      clock.advance(2_000);
    }
    await answer('m2', REPLY('second'));
    store.write(() => store.incoming.withdraw('m1'));
    await answer('m3', REPLY('third'));
    expect(await sent()).toEqual(['second', 'third']);
  });

  test('keeps its number while its post is under way, for its withdrawal may have named it', async () => {
    const { arrive, answer, store, posted } = await exchange();
    arrive('m1');
    store.write(() => store.incoming.withdraw('m1'));
    const named = store.incoming.sequenceOf('m1');
    await answer('m1', DOWN);
    arrive('m2');
    expect([named, posted.at(-1)]).toEqual([1, { guid: 'm2', sequence: 2 }]);
  });
});

test('a reflex is not repeated by a held reply that was kept over a long stop', async () => {
  const { arrive, answer, reflex, restart, clock, sent } = await exchange();
  arrive('m1');
  arrive('m2');
  clock.advance(2_000);
  reflex('r1', 'on it');
  reflex('r2', 'one sec');
  await answer('m2', REPLY('one sec'));
  expect(await sent()).toEqual(['on it', 'one sec']);
  await restart(3_600_000);
  expect(await sent()).toEqual(['on it', 'one sec']);
});

test('a number that two conversations had used is not used a third time when they become one', async () => {
  const { arrive, answer, store, posted, clock } = await exchange();
  arrive('b1', 'new');
  await answer('b1', NO_REPLY);
  arrive('a1', 'old');
  store.write(() => store.rekey(new Map([['old', 'new']]), (_, text) => text));
  await answer('a1', DOWN);
  await clock.advanceAsync(60_000);
  const sequences = posted.filter(({ guid }) => guid !== 'a1').map(({ sequence }) => sequence);
  expect(sequences).toEqual([1]);
  expect(posted.at(-1)).toEqual({ guid: 'a1', sequence: 2 });
});

test('a post that has ended blocks nobody if the disk refuses the write that follows its end', async () => {
  const { arrive, answer, store, guids, clock } = await exchange();
  const people = { m1: ANN, m2: '+13105555678' };
  for (const [guid, person] of Object.entries(people)) arrive(guid, person);
  for (const guid of Object.keys(people)) await answer(guid, DOWN);
  await clock.advanceAsync(2_000);
  const probe = guids()[2] === 'm1' ? 'm1' : 'm2';
  const started = store.incoming.postStarted.bind(store.incoming);
  store.incoming.postStarted = () => {
    store.incoming.postStarted = started;
    throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  };
  await answer(probe, NO_REPLY);
  expect([guids().length, store.fault()?.code]).toEqual([3, 'disk_full']);
  arrive('next', people[probe]);
  await clock.advanceAsync(10_000);
  expect(guids().slice(3).toSorted()).toEqual([probe === 'm1' ? 'm2' : 'm1', 'next']);
});
