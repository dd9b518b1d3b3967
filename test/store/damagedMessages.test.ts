import { expect, test } from 'vitest';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

test.each([
  ['cut short', '{"guid":"one","conv'],
  ['no JSON', '\u0000\u0001'],
  ['empty', ''],
  ['null', 'null'],
  ['a number', '7'],
  ['a list', '[]'],
  ['without a sender', '{"guid":"one","conversation":"a","text":"hi","sentAt":0}'],
])('a stored message that is damaged (%s) is set aside, and the one after it is next', (_name, stored) => {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  store.write(() => {
    for (const guid of ['one', 'two'])
      store.incoming.add({
        ...{ guid, rowId: 1, conversation: 'a', threadId: 'a', chatGuid: 'a', sender: 'a', text: 'hi' },
        ...{ sentAt: 0, isGroup: false, participants: [], service: 'iMessage', replyToGuid: null },
        attachments: [],
      });
  });
  const database = openDatabase(`${directory}/edge-agent.db`);
  database.prepare('UPDATE incoming SET message = ? WHERE guid = ?').run(stored, 'one');
  database.close();
  const next = store.write(() => store.incoming.open('a', 1));
  expect(next.map(({ message }) => message.guid)).toEqual(['two']);
  expect(store.deadLetters.list(10)).toMatchObject([
    { guid: 'one', error: 'its record in the store is damaged' },
  ]);
});
