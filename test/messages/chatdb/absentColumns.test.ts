import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

/** Without these nothing is known of a row: its name, its owner, its date, its conversation. */
const ESSENTIAL: Readonly<Record<string, readonly string[]>> = {
  message: ['ROWID', 'guid', 'handle_id', 'is_from_me', 'date'],
  chat: ['ROWID', 'guid', 'chat_identifier'],
  handle: ['ROWID', 'id'],
  attachment: ['ROWID', 'guid'],
  chat_message_join: ['chat_id', 'message_id'],
  chat_handle_join: ['chat_id', 'handle_id'],
  message_attachment_join: ['message_id', 'attachment_id'],
};
const PERSON = '+13105551234';

/** A chat.db with something of everything. */
function whole(): { path: string; columns: { table: string; name: string }[] } {
  const path = join(temporaryDirectory(), 'whole.db');
  const writer = new ChatDbWriter(path, { version: 27 });
  const edited = writer.receive({ from: PERSON, text: 'hello', attachments: [{}] });
  writer.happenings.edit(edited, 'hello again');
  writer.happenings.sendLink(PERSON, 'look: example.com', 'https://example.com');
  writer.groupChat([PERSON, '+13105559876']);
  writer.writeSent({ handle: PERSON, text: 'hi' });
  writer.close();
  const database = openDatabase(path);
  const columns = Object.keys(ESSENTIAL).flatMap((table) =>
    (database.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => ({ table, name })),
  );
  database.close();
  return { path, columns };
}

/** The same file, less the columns that are dropped, without indices. */
function without(from: string, isDropped: (table: string, name: string) => boolean): string {
  const path = join(temporaryDirectory(), 'chat.db');
  const database = openDatabase(path);
  database.exec(`ATTACH '${from}' AS whole`);
  for (const table of Object.keys(ESSENTIAL)) {
    const info = database.pragma(`whole.table_info(${table})`) as { name: string }[];
    const names = info.map(({ name }) => name).filter((name) => !isDropped(table, name));
    const columns = names.map((name) => (name === 'ROWID' ? 'ROWID INTEGER PRIMARY KEY' : name));
    database.exec(`CREATE TABLE ${table} (${columns.join(', ')});
      INSERT INTO ${table} SELECT ${names.join(', ')} FROM whole.${table}`);
  }
  database.close();
  return path;
}

/** Everything that is ever read, once; the problem if something cannot be. */
function readAll(path: string): string {
  const log = new RecordingLog();
  const chatDb = new ChatDb({ path, clock: new FakeClock(), log, region: 'US' });
  const messages = chatDb.readMessages((rows) => {
    const all = rows.rowsAfter(0, 10);
    rows.rowsAmong([1]);
    rows.recentOwnRows(10);
    for (const { rowId, chatRowId } of all) {
      rows.attachments(rowId);
      rows.participants(chatRowId ?? 0);
      rows.neighbours.companions(rowId);
      rows.neighbours.isAcquainted(chatRowId ?? 0);
      rows.neighbours.mayBeOfGroup(rowId, null);
      rows.neighbours.isDeleted(rowId);
    }
    return all.length;
  });
  const edits = chatDb.readEdits((rows) => rows.between(0, 4e12));
  const found = [chatDb.sentRowsAfter(0, 10).length, chatDb.findChat(PERSON)?.length];
  chatDb.servicesOf(PERSON);
  chatDb.ownAddresses();
  const access = chatDb.access();
  chatDb.close();
  if (!access.ok) return access.message;
  if (messages.kind !== 'read' || edits.kind !== 'read') return `${messages.kind}, ${edits.kind}`;
  return messages.value === 4 && found.join() === '1,1' ? 'read' : `${messages.value} rows, ${found.join()}`;
}

test('a chat.db may lack any column except those that identify a row: all of it is read', () => {
  const { path, columns } = whole();
  const optional = columns.filter(({ table, name }) => !ESSENTIAL[table]?.includes(name));
  expect(optional.length).toBeGreaterThan(100);
  const troubles = optional.flatMap((absent) => {
    const said = readAll(without(path, (table, name) => table === absent.table && name === absent.name));
    return said === 'read' ? [] : [`${absent.table}.${absent.name}: ${said}`];
  });
  expect(troubles).toEqual([]);
});

test('it may lack them all at once', () => {
  const { path } = whole();
  expect(readAll(without(path, (table, name) => !ESSENTIAL[table]?.includes(name)))).toBe('read');
});

test('an edit is found where item_type is missing', () => {
  const { path } = whole();
  const chatDb = new ChatDb({
    path: without(path, (table, name) => table === 'message' && name === 'item_type'),
    clock: new FakeClock(),
    log: new RecordingLog(),
    region: 'US',
  });
  onTestFinished(() => chatDb.close());
  const edits = chatDb.readEdits((rows) => rows.between(0, 4e12));
  expect(edits).toMatchObject({
    value: expect.arrayContaining([expect.objectContaining({ kind: 'edited' })]),
  });
});
