import { expect, test } from 'vitest';
import type { IncomingMessage } from '../../src/model/incoming.js';
import type { Outgoing } from '../../src/outgoing/Outgoing.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const [ANN, BOB] = ['+13105551234', '+13105559876'];

/** Messages that notes by which chat it was asked for the ways to a person. */
class AskedMessages extends FakeMessages {
  readonly asked: (string | null | undefined)[] = [];

  override targets(_conversation?: string, _threadId?: string, answeredChat?: string | null) {
    this.asked.push(answeredChat);
    return super.targets();
  }
}

function message(guid: string, conversation: string, chatGuid: string): IncomingMessage {
  return {
    ...{ guid, rowId: 1, conversation, threadId: conversation, chatGuid, sender: conversation, text: 'hi' },
    ...{ sentAt: 7, isGroup: false, participants: [conversation], service: 'iMessage', replyToGuid: null },
    attachments: [],
  };
}

function world() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  store.write(() => {
    store.incoming.add(message('of-ann', ANN, 'ACCOUNT-1;-;ann'));
    store.incoming.add(message('of-bob', BOB, 'ACCOUNT-1;-;bob'));
    store.incoming.add(message('no-chat', ANN, ''));
  });
  const messages = new AskedMessages();
  const make = () => outgoingOn(store, messages, clock, { maxTextLength: 20, splitLongTexts: true });
  const enqueue = (outgoing: Outgoing, id: string, answers?: string, text = id) =>
    store.write(() =>
      outgoing.enqueue({
        ...{ id, conversation: ANN, threadId: ANN, text, role: 'message', priority: 2, pauseMs: 0 },
        ...(answers === undefined ? {} : { answers }),
      }),
    );
  return { store, messages, make, enqueue };
}

test.each([
  ['names the message that it answers', 'of-ann', 'ACCOUNT-1;-;ann'],
  ['names no message', undefined, null],
  ['names a message of another conversation', 'of-bob', null],
  ['names an unknown message', 'gone', null],
  ['names a message whose chat never came', 'no-chat', null],
])('a text that %s is stored with its chat', (_what, answers, expected) => {
  const { store, make, enqueue } = world();
  enqueue(make(), 'text', answers);
  expect(store.sends.findById('text')).toMatchObject({ chatGuid: expected });
});

test('each part of a long answer is sent by that chat, also in a later run that has forgotten the message', async () => {
  const { store, messages, make, enqueue } = world();
  enqueue(make(), 'long', 'of-ann', 'a text of many words that is cut into several');
  store.write(() => store.prune({ ended: 9e15, commands: 9e15, limit: 100 }));
  const next = make();
  await next.start();
  expect(messages.asked.length).toBeGreaterThan(0);
  expect(new Set(messages.asked)).toEqual(new Set(['ACCOUNT-1;-;ann']));
  const [first, second] = ['long:1', 'long:2'].map((id) => store.sends.findById(id)?.chatGuid);
  expect([first, second]).toEqual(['ACCOUNT-1;-;ann', 'ACCOUNT-1;-;ann']);
  next.stop();
});
