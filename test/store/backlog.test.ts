import { expect, test } from 'vitest';
import { FakeClock } from '../support/FakeClock.js';
import { queuedText } from '../support/queuedText.js';
import { temporaryStore } from '../support/temporaryStore.js';

test('what a pause holds waits for its end and not for the backend; another wait is not hidden by it', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const began = clock.now();
  for (const conversation of ['ann', 'bob', 'cleo']) {
    const guid = `from ${conversation}`;
    store.write(() => {
      store.incoming.add({
        ...{ guid, rowId: 1, conversation, threadId: 'a', chatGuid: 'a', sender: 'a', text: 'hi' },
        ...{ sentAt: 0, isGroup: false, participants: [], service: 'iMessage', replyToGuid: null },
        attachments: [],
      });
      const message = { guid, chatGuid: 'a', conversation, isGroup: false, text: '', participants: [] };
      store.uploads.add(`image of ${conversation}`, message);
      if (conversation === 'cleo') return;
      const seq = store.incoming.open(conversation, 1)[0]?.seq ?? 0;
      store.incoming.postStarted(seq, 0);
      const again = { retryAt: 0, strikes: 0, firstStrikeAt: null, isUnread: false };
      store.incoming.postFailed(seq, { ...again, error: 'HTTP 500' });
    });
    clock.advance(1_000);
  }
  const pause = (conversation: string) =>
    store.write(() => {
      store.pauses.set(conversation, 'manual');
      store.pauses.setIncoming(conversation, true);
    });
  const all = { waiting: 3, failed: 2, conversations: 2, since: began };
  expect(store.backlog.posts()).toEqual(all);
  store.write(() => store.pauses.set('ann', 'manual'));
  expect(store.backlog.posts()).toEqual(all);
  pause('ann');
  expect(store.backlog.posts()).toEqual({ waiting: 2, failed: 1, conversations: 1, since: began + 1_000 });
  expect(store.backlog.uploads()).toEqual({ waiting: 2, since: began + 1_000 });
  pause('*');
  expect(store.backlog.posts()).toEqual({ waiting: 0, failed: 0, conversations: 0, since: null });
  expect(store.backlog.uploads()).toEqual({ waiting: 0, since: null });
});

test('a message that is to be posted again has not failed yet', () => {
  const store = temporaryStore(new FakeClock());
  store.write(() => {
    store.incoming.add({
      ...{ guid: 'm', rowId: 1, conversation: 'ann', threadId: 'a', chatGuid: 'a', sender: 'a', text: 'hi' },
      ...{ sentAt: 0, isGroup: false, participants: [], service: 'iMessage', replyToGuid: null },
      attachments: [],
    });
    store.incoming.settle(store.incoming.open('ann', 1)[0]?.seq ?? 0, 'parked', 'HTTP 422');
    store.deadLetters.reopen('m');
  });
  expect(store.backlog.posts()).toMatchObject({ waiting: 1, failed: 0 });
});

test('the oldest waiting text is that of whichever lane has it, and one that has ended no longer counts', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const began = clock.now();
  const add = (id: string, conversation: string) => {
    store.write(() =>
      store.sends.add({
        ...{ id, conversation, threadId: conversation, text: 'Hi', role: 'message', priority: 2, pauseMs: 0 },
        ...{ commandId: null, scheduleId: null, answers: null, twinKey: null, twin: null, state: 'queued' },
        ...{ errorCode: null, error: null },
      }),
    );
    clock.advance(1_000);
  };
  expect(store.backlog.oldest().sends_queued).toBeNull();
  for (const [id, conversation] of [
    ['one', 'bob'],
    ['two', 'ann'],
    ['three', 'cleo'],
    ['four', 'bob'],
  ] as const)
    add(id, conversation);
  expect(store.backlog.oldest().sends_queued).toBe(began);
  store.write(() => store.sends.settle(store.sends.findById('one')?.seq ?? 0, { state: 'sent' }));
  expect(store.backlog.oldest().sends_queued).toBe(began + 1_000);
  store.write(() => store.sends.settle(store.sends.findById('two')?.seq ?? 0, { state: 'sent' }));
  expect(store.backlog.oldest().sends_queued).toBe(began + 2_000);
});

test('the oldest waiting text is the one that was entered first, though a later one took the place of a text that failed', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const began = clock.now();
  const [failed, waiting, heir] = ['failed', 'waiting', 'heir'].map((id) => {
    const added = store.write(() => store.sends.add(queuedText({ id, conversation: 'ann', text: id })));
    clock.advance(1_000);
    return added?.seq ?? 0;
  });
  store.write(() => {
    store.sends.settle(failed ?? 0, { state: 'failed' });
    store.sends.promote(heir ?? 0, failed ?? 0);
  });
  expect(store.backlog.oldest().sends_queued).toBe(began + 1_000);
  store.write(() => store.sends.settle(waiting ?? 0, { state: 'sent' }));
  expect(store.backlog.oldest().sends_queued).toBe(began + 2_000);
});
