import { expect, test } from 'vitest';
import { findText } from '../../../src/messages/chatdb/ChatDb.js';
import { MessagesWorld, OWN, PERSON, VERSIONS } from './messagesWorld.js';

test.each(VERSIONS)('a text to oneself is found as the sent and as the received row: %o', (options) => {
  const { writer, chatDb } = new MessagesWorld(options);
  const self = writer.directChat(OWN);
  writer.writeSent({ text: 'a canary', chat: self });
  const start = chatDb.highestRowId() ?? 0;
  const look = () => findText(chatDb, 'a canary', start);
  expect(look()).toEqual({ sent: false, received: false });
  writer.receive({ text: 'another one', from: PERSON });
  writer.writeSent({ text: 'a canary', chat: self });
  expect(look()).toEqual({ sent: true, received: false });
  writer.receive({ text: 'a canary', from: OWN, chat: self });
  expect(look()).toEqual({ sent: true, received: true });
});

test('nothing is found where chat.db cannot be read', () => {
  const { chatDb } = new MessagesWorld();
  expect(findText(chatDb, 'a canary', 0)).toEqual({ sent: false, received: false });
});
