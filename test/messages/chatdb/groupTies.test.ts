import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AppleVersion } from '../../../src/kit/messages/appleSchema.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import type { GroupNames } from '../../../src/messages/chatdb/ConversationNames.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const [ANN, BOB, CAT] = ['+13105551234', '+13105559876', 'cat@example.com'];
const HEX = '534ce85d174c4709b8e84075f9078b04';
const GROUP_ID = 'AABB5434-C39D-46DB-BE7A-D77943F932F5';

function world(version: AppleVersion = 15, groups?: GroupNames) {
  const path = join(temporaryDirectory(), 'chat.db');
  const writer = new ChatDbWriter(path, { version });
  const chatDb = new ChatDb({
    path,
    clock: new FakeClock(),
    log: new RecordingLog(),
    region: 'US',
    ...(groups === undefined ? {} : { groups }),
  });
  onTestFinished(() => {
    chatDb.close();
    writer.close();
  });
  const group = (
    identifier: string,
    more: Parameters<ChatDbWriter['groupChat']>[1] = {},
    people = [ANN, BOB],
  ) => writer.groupChat(people, { identifier, ...more });
  const ties = () => chatDb.newGroupTies();
  return { writer, chatDb, group, ties, path };
}

describe('groups of several identifiers that are one', () => {
  test.each([
    ['an SMS group that became RCS', 'chat100', 'SMS', 'chat200', 'RCS'],
    ['an SMS group that became iMessage', 'chat101', 'SMS', 'chat201', 'iMessage'],
    ['a group of macOS 26, with a bare hexadecimal name', 'chat102', 'iMessage', HEX, 'iMessage'],
  ])('%s', (_what, before, service, after, nextService) => {
    const { writer, group, ties } = world();
    writer.chats.regroup(group(before, { service }), { identifier: after, service: nextService });
    expect(ties()).toEqual({ ties: [[before, after]], tooMany: 0 });
  });

  test('merged in a chain and in a ring, each is named once, the oldest first', () => {
    const { writer, group, ties } = world();
    const [one, two, three] = [group('chat1'), group('chat2'), group('chat3')];
    writer.chats.lookUp('a', [two, one]);
    writer.chats.lookUp('b', [two, three]);
    writer.chats.lookUp('c', [three, one]);
    expect(ties()?.ties).toEqual([['chat1', 'chat2', 'chat3']]);
  });

  test('before macOS 15, of the same group id and the same people, in whatever order and service', () => {
    const { group, ties } = world(13);
    group('chat1', { groupId: GROUP_ID, service: 'SMS' });
    group('chat2', { originalGroupId: GROUP_ID.toLowerCase(), service: 'iMessage' }, [BOB, '(310) 555-1234']);
    expect(ties()?.ties).toEqual([['chat1', 'chat2']]);
  });
});

describe('a row of a text to a group that has another identifier now', () => {
  const groups = {
    nameOf: (key: string) => (key === 'chat2' ? 'chat1' : key),
    identifiersOf: (key: string) => (key === 'chat1' ? ['chat1', 'chat2'] : [key]),
  };
  test.each([
    ['by the order of rows', (chatDb: ChatDb) => chatDb.rowsOfSendsAfter(0, 10)],
    ['by date, as after a rebuild', (chatDb: ChatDb) => chatDb.rowsOfSendsSince(0, 10)],
    ['by its guid', (chatDb: ChatDb, guid: string) => [chatDb.sentRow(guid)]],
  ])('is one of the group, read %s', (_way, read) => {
    const { writer, group, chatDb } = world(15, groups);
    const { guid } = writer.writeSent({ chat: group('chat2'), text: 'hi' });
    expect(read(chatDb, guid)).toMatchObject([{ guid, conversationKey: 'chat1' }]);
  });

  test('is found by date before chat.db shows that it was sent, so that its text is not reported lost', () => {
    const { writer, group, chatDb } = world();
    const sent = writer.writeSent({ chat: group('chat1'), text: 'hi', upTo: 'first' });
    expect(chatDb.rowsOfSendsSince(0, 10)).toMatchObject([{ guid: sent.guid, isUndecided: true }]);
    sent.settle();
    expect(chatDb.rowsOfSendsSince(0, 10)).toMatchObject([{ guid: sent.guid }]);
    expect(chatDb.rowsOfSendsSince(0, 10)[0]?.isUndecided).toBeUndefined();
  });
});

describe('what stays apart', () => {
  test('two people, and the number and the e-mail address of one, whatever chat_lookup says', () => {
    const { writer, ties } = world();
    const chats = [ANN, BOB, CAT].map((person) => writer.directChat(person));
    writer.chats.lookUp('same', chats);
    expect(ties()?.ties).toEqual([]);
  });

  test('a group and a person, and two groups linked only by a person', () => {
    const { writer, group, ties } = world();
    const person = writer.directChat(ANN);
    writer.chats.lookUp('x', [group('chat1'), person]);
    writer.chats.lookUp('y', [person, group('chat2')]);
    expect(ties()?.ties).toEqual([]);
  });

  test('groups of the same id with other members: messages of one are not for the other', () => {
    const { group, ties } = world(14);
    group('chat1', { groupId: GROUP_ID });
    group('chat2', { groupId: GROUP_ID }, [ANN, BOB, CAT]);
    group('chat3', { groupId: GROUP_ID }, []);
    group('chat4', { groupId: '' });
    group('chat5', { groupId: '' });
    expect(ties()?.ties).toEqual([]);
  });

  test('groups that a damaged table links by the dozen', () => {
    const { writer, group, ties } = world();
    const groups = Array.from({ length: 12 }, (_, index) => group(`chat${100 + index}`));
    writer.chats.lookUp('all', groups);
    expect(ties()).toEqual({ ties: [], tooMany: 1 });
  });

  test.each([
    ['an empty identifier', "UPDATE chat_lookup SET identifier = ''"],
    ['bytes for an identifier', "UPDATE chat_lookup SET identifier = x'00ff'"],
    ['chats that are gone', 'UPDATE chat_lookup SET chat = chat + 1000'],
  ])('what a damaged table links by %s', (_what, damage) => {
    const { group, ties, path } = world();
    const [one, two] = [group('chat1'), group('chat2')];
    const database = openDatabase(path);
    database.pragma('foreign_keys = OFF');
    database.exec(`DROP TABLE chat_lookup; CREATE TABLE chat_lookup (identifier, domain, chat, priority);
      INSERT INTO chat_lookup VALUES ('a', 'x', ${one.rowId}, 0), ('a', 'y', ${two.rowId}, 0); ${damage}`);
    database.close();
    expect(ties()?.ties).toEqual([]);
  });

  test.each(['CREATE TABLE chat_lookup (other TEXT)', 'SELECT 1'])(
    'a chat.db with another table of that name, or with none, is still read: %s',
    (made) => {
      const { group, ties, path } = world();
      group('chat1');
      const database = openDatabase(path);
      database.exec(`DROP TABLE chat_lookup; ${made}`);
      database.close();
      expect(ties()).toEqual({ ties: [], tooMany: 0 });
    },
  );
});

test('they are read again only when chats were added or linked', () => {
  const { writer, group, ties } = world();
  const one = group('chat1');
  expect(ties()).toBeDefined();
  writer.receive({ from: ANN, text: 'hi' });
  expect(ties()).toBeDefined();
  writer.receive({ from: ANN, text: 'hi again' });
  expect(ties()).toBeUndefined();
  writer.chats.regroup(one, { identifier: 'chat2' });
  expect(ties()?.ties).toEqual([['chat1', 'chat2']]);
  expect(ties()).toBeUndefined();
});
