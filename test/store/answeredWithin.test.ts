import { expect, test } from 'vitest';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

test('the messages answered within a time are counted with their failed posts that may have been read, over a restart too', () => {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  const store = temporaryStore(clock, directory);
  let rowId = 0;
  const answered = (failures: number, unread: number, end: 'answered' | 'parked' = 'answered') => {
    const guid = `m${++rowId}`;
    store.write(() => {
      store.incoming.add({
        ...{ guid, rowId, conversation: guid, threadId: 'a', chatGuid: 'a', sender: 'a', text: 'hi' },
        ...{ sentAt: 0, isGroup: false, participants: [], service: 'iMessage', replyToGuid: null },
        attachments: [],
      });
      const seq = store.incoming.open(guid, 1)[0]?.seq ?? 0;
      for (let each = 0; each < failures + unread; each++) {
        store.incoming.postStarted(seq, 0);
        const retry = { retryAt: 0, strikes: 0, firstStrikeAt: null, error: 'no' };
        store.incoming.postFailed(seq, { ...retry, isUnread: each >= failures });
      }
      store.incoming.postStarted(seq, 0);
      store.incoming.settle(seq, end);
    });
  };
  answered(7, 0);
  clock.advance(60_000);
  answered(0, 0);
  answered(3, 2);
  answered(9, 0, 'parked');
  clock.advance(30_000);
  expect(store.incoming.answeredWithin(30_000, 100)).toEqual({ answered: 2, failures: 3 });
  expect(store.incoming.answeredWithin(30_000, 2)).toEqual({ answered: 2, failures: 2 });
  expect(store.incoming.answeredWithin(90_000, 100)).toEqual({ answered: 3, failures: 10 });
  store.close();
  const again = temporaryStore(clock, directory);
  expect(again.incoming.answeredWithin(90_000, 100)).toEqual({ answered: 3, failures: 10 });
});
