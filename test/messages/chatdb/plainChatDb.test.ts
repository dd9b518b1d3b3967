import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

test('a chat.db without the tables for files and members is read, and read again when it gets them', () => {
  const path = join(temporaryDirectory(), 'chat.db');
  const writer = openDatabase(path);
  writer.exec(`
    CREATE TABLE message (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, text TEXT, handle_id INTEGER, service TEXT,
      date INTEGER, is_from_me INTEGER DEFAULT 0);
    CREATE TABLE handle (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, service TEXT);
    CREATE TABLE chat (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, style INTEGER, chat_identifier TEXT);
    CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER, message_date INTEGER);
    INSERT INTO message (guid, text, is_from_me) VALUES ('a', 'hello', 1);
  `);
  const chatDb = new ChatDb({ path, clock: new FakeClock(), log: new RecordingLog(), region: 'US' });
  expect(chatDb.access()).toEqual({ ok: true });
  expect(chatDb.sentRowsAfter(0, 10).map(({ text }) => text)).toEqual(['hello']);
  chatDb.changed();
  writer.exec('CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, guid TEXT)');
  expect(chatDb.changed()).toBe(true);
  expect(chatDb.sentRowsAfter(0, 10)).toHaveLength(1);
  chatDb.close();
  writer.close();
});
