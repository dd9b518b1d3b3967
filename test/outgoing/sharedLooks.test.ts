import { expect, test } from 'vitest';
import type { TextRequest } from '../../src/model/sending.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

function request(id: string): TextRequest {
  return { id, conversation: ANN, threadId: ANN, text: id, role: 'message', priority: 2, pauseMs: 0 };
}

async function world() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const told: string[] = [];
  const outgoing = outgoingOn(store, messages, clock);
  outgoing.onOutcome(({ id }, { kind }) => void told.push(`${id} ${kind}`));
  outgoing.onDelivery(({ id }, { kind }) => void told.push(`${id} ${kind}`));
  await outgoing.start();
  return { clock, store, messages, told, outgoing };
}

test('a row that two looks find before either is stored proves its text once', async () => {
  const { store, messages, told, outgoing } = await world();
  store.write(() => {
    for (const id of ['a', 'b', 'c']) outgoing.enqueue(request(id));
  });
  await messages.end({ kind: 'accepted' });
  messages.addRow(ANN, 'a');
  store.together(() => {
    outgoing.chatChanged();
    outgoing.chatChanged();
  });
  expect(told).toEqual(['a sent']);
  await messages.succeed();
  await messages.succeed();
  expect(messages.texts).toEqual(['a', 'b', 'c']);
});

test('and so does one that a claim of the look found before', async () => {
  const { clock, store, messages, told, outgoing } = await world();
  store.write(() => outgoing.enqueue(request('a')));
  await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'later' });
  messages.addRow(ANN, 'a');
  const busy = new Promise<void>(() => undefined);
  messages.hold = () => busy;
  clock.advance(2_000);
  messages.hold = () => undefined;
  store.together(() => {
    store.write(() => outgoing.enqueue(request('b')));
    outgoing.chatChanged();
  });
  expect(told).toEqual(['a sent']);
  await messages.succeed();
  expect(messages.texts).toEqual(['a', 'b']);
});
