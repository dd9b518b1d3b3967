import { expect, test } from 'vitest';
import type { TextRequest } from '../../src/model/sending.js';
import { EVERY_CONVERSATION } from '../../src/store/conversations.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105555678';
const HOUR = 3600_000;
const AGES = { text: HOUR, reflex: HOUR / 6, scheduled: 2 * HOUR };

async function world(store: Store, clock: FakeClock) {
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock, { splitLongTexts: false, heldAges: AGES });
  const told: string[] = [];
  outgoing.onEnded(({ parts }) => {
    for (const { outcome } of parts) told.push(outcome.kind === 'failed' ? outcome.errorCode : outcome.kind);
  });
  await outgoing.start();
  const send = (id: string, conversation: string, more: Partial<TextRequest> = {}) =>
    store.write(() =>
      outgoing.enqueue({
        id,
        conversation,
        threadId: conversation,
        text: id,
        role: 'message',
        priority: 2,
        pauseMs: 0,
        ...more,
      }),
    );
  return { messages, send, told };
}

test('in a paused conversation texts wait, others continue, and resuming sends them in order', async () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { messages, send } = await world(store, clock);
  store.write(() => store.pauses.set(ANN, 'operator'));
  send('a1', ANN);
  send('a2', ANN);
  send('b', BOB);
  expect(messages.texts).toEqual(['b']);
  await messages.succeed(BOB);
  expect(messages.texts).toEqual(['b']);
  store.write(() => store.pauses.delete(ANN));
  expect(messages.texts).toEqual(['b', 'a1']);
});

test('the text in progress ends; the next one waits', async () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { messages, send } = await world(store, clock);
  send('a1', ANN);
  send('a2', ANN);
  store.write(() => store.pauses.set(EVERY_CONVERSATION, 'manual'));
  await messages.succeed(ANN);
  expect(store.sends.findById('a1')?.state).toBe('sent');
  expect(messages.texts).toEqual(['a1']);
});

test('a pause survives a restart', async () => {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const first = temporaryStore(clock, directory);
  first.write(() => first.pauses.set(ANN, 'loop'));
  first.close();
  const store = temporaryStore(clock, directory);
  const { messages, send } = await world(store, clock);
  send('a', ANN);
  expect(messages.texts).toEqual([]);
  expect(store.pauses.list()).toMatchObject([{ conversation: ANN, reason: 'loop', since: clock.now() }]);
});

test('the first reason stays, and a rolled back pause does not hold', () => {
  const store = temporaryStore(new FakeClock());
  store.write(() => store.pauses.set(ANN, 'loop'));
  expect(store.write(() => store.pauses.set(ANN, 'operator'))).toBe(false);
  expect(store.pauses.get(ANN)?.reason).toBe('loop');
  expect(() =>
    store.write(() => {
      store.pauses.set(BOB, 'manual');
      store.pauses.delete(ANN);
      throw new Error('rolled back');
    }),
  ).toThrow('rolled back');
  expect([store.pauses.covers(ANN), store.pauses.covers(BOB)]).toEqual([true, false]);
});

test('what grew too old in a pause fails when it is lifted, each by the limit of its kind, and the rest is sent', async () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { messages, send, told } = await world(store, clock);
  store.write(() => store.pauses.set(ANN, 'operator'));
  send('last night', ANN);
  send('scheduled', ANN, { scheduleId: 's1' });
  clock.advance(HOUR - 15 * 60_000);
  send('one sec', ANN, { role: 'reflex' });
  clock.advance(20 * 60_000);
  send('fresh', ANN);
  store.write(() => store.pauses.delete(ANN));
  expect(told).toEqual(['too_late', 'too_late']);
  expect(store.sends.findById('last night')).toMatchObject({ state: 'failed', errorCode: 'too_late' });
  expect(store.sends.findById('one sec')).toMatchObject({ state: 'failed', errorCode: 'too_late' });
  await messages.succeed(ANN);
  await messages.succeed(ANN);
  expect(messages.texts).toEqual(['scheduled', 'fresh']);
});

test('where everything was paused it stays so in each conversation, except in one that is still paused itself', async () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { messages, send, told } = await world(store, clock);
  store.write(() => store.pauses.set(EVERY_CONVERSATION, 'manual'));
  store.write(() => store.pauses.set(BOB, 'loop'));
  send('a', ANN);
  send('b', BOB);
  clock.advance(2 * HOUR);
  store.write(() => store.pauses.delete(EVERY_CONVERSATION));
  expect([told, messages.texts]).toEqual([['too_late'], []]);
  expect(store.sends.findById('b')?.state).toBe('queued');
  store.write(() => store.pauses.delete(BOB));
  expect(told).toEqual(['too_late', 'too_late']);
});

test('a duplicate that waited for one which grew too old is as old, and takes no place', async () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { messages, send } = await world(store, clock);
  store.write(() => store.pauses.set(ANN, 'operator'));
  const message = { guid: 'm1', rowId: 1, conversation: ANN, threadId: ANN, chatGuid: ANN, sender: ANN };
  store.write(() => {
    const rest = { text: 'hi', sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' };
    store.incoming.add({ ...message, ...rest, replyToGuid: null, attachments: [] });
    const [record] = store.incoming.open(ANN, 1);
    store.incoming.postStarted(record?.seq ?? 0, store.sends.newest());
  });
  send('reflex', ANN, { role: 'reflex', text: 'okie' });
  send('reply:m1:0', ANN, { role: 'first', text: 'okie', answers: 'm1' });
  clock.advance(2 * HOUR);
  store.write(() => store.pauses.delete(ANN));
  expect(messages.texts).toEqual([]);
  expect(store.sends.findById('reply:m1:0')?.state).toBe('failed');
});
