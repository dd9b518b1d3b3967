import { expect, test } from 'vitest';
import { Outgoing } from '../../src/outgoing/Outgoing.js';
import { EVERY_CONVERSATION } from '../../src/store/pauses.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105555678';

async function world(store: Store, clock: FakeClock) {
  const messages = new FakeMessages();
  const outgoing = new Outgoing({
    store,
    sender: messages,
    rows: messages,
    clock,
    log: new RecordingLog(),
    settings: () => ({ maxTextLength: 100, splitLongTexts: false, resendUnknown: false }) as never,
  });
  await outgoing.start();
  const send = (id: string, conversation: string) =>
    store.write(() =>
      outgoing.enqueue({
        id,
        conversation,
        threadId: conversation,
        text: id,
        role: 'message',
        priority: 2,
        pauseMs: 0,
      }),
    );
  return { messages, send };
}

test('in a paused conversation texts wait, others go on, and resuming lets them out in order', async () => {
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

test('the text on its way ends; the next one waits', async () => {
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

test('a pause outlives a restart', async () => {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const first = temporaryStore(clock, directory);
  first.write(() => first.pauses.set(ANN, 'loop'));
  first.close();
  const store = temporaryStore(clock, directory);
  const { messages, send } = await world(store, clock);
  send('a', ANN);
  expect(messages.texts).toEqual([]);
  expect(store.pauses.list()).toEqual([{ conversation: ANN, reason: 'loop', since: clock.now() }]);
});

test('the first reason stays, and what was rolled back is not paused', () => {
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
