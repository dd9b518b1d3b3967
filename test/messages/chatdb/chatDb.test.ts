import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { accessProblem } from '../../../src/messages/chatdb/ChatDbConnection.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { MessagesWorld, OTHER, PERSON, VERSIONS } from './messagesWorld.js';

describe('access', () => {
  test.each([
    ['EPERM', 'chatdb_not_permitted', 'Full Disk Access'],
    ['EACCES', 'chatdb_denied', 'signed in to Messages'],
    ['ENOENT', 'chatdb_missing', 'sign in'],
    ['ENOTDIR', 'chatdb_missing', 'imessage.db_path'],
    ['EIO', 'chatdb_unreadable', 'disk'],
  ] as const)('%s is %s, with a remedy', (errno, code, remedy) => {
    const problem = accessProblem('/x/chat.db', errno);
    expect(problem).toMatchObject({ ok: false, code, remedy: expect.stringContaining(remedy) });
    expect(problem.message).toContain('/x/chat.db');
  });

  test('the Full Disk Access remedy names the program that macOS asks about', () => {
    expect(accessProblem('/x', 'EPERM').remedy).toContain(process.execPath);
    const executable = '/Users/ann/Edge Agent.app/Contents/MacOS/edge-agent';
    expect(accessProblem('/x', 'EPERM', '', executable).remedy).toContain(
      'add /Users/ann/Edge Agent.app and',
    );
    expect(accessProblem('/x', 'EPERM').remedy).toContain('Privacy & Security → Full Disk Access');
  });

  test('a missing file is reported, and found on its own within a second once it exists', () => {
    const world = new MessagesWorld();
    expect(world.chatDb.access()).toMatchObject({ ok: false, code: 'chatdb_missing' });
    expect(world.chatDb.highestRowId()).toBeNull();
    expect(world.chatDb.generation()).toBeNull();
    world.receive({ from: PERSON, text: 'hi' });
    expect(world.chatDb.changed()).toBe(false);
    world.clock.advance(1000);
    expect(world.chatDb.changed()).toBe(true);
    expect(world.chatDb.access()).toEqual({ ok: true });
    expect(world.chatDb.highestRowId()).toBe(1);
  });

  test.each([
    ['a directory', (path: string) => mkdirSync(path)],
    [
      'no database',
      (path: string) => writeFileSync(path, 'not a database, but long enough to look at'.repeat(50)),
    ],
    ['an empty file', (path: string) => writeFileSync(path, '')],
    ['another database', (path: string) => openDatabase(path).exec('CREATE TABLE t (x)').close()],
  ])('%s is unreadable, not a crash', (_name, make) => {
    const world = new MessagesWorld();
    make(world.path);
    expect(world.chatDb.access()).toMatchObject({ ok: false, code: 'chatdb_unreadable' });
    expect(world.chatDb.sentRowsAfter(0, 10)).toEqual([]);
    expect(world.chatDb.findChat(PERSON)).toBeUndefined();
    expect(world.chatDb.ownAddresses()).toEqual([]);
  });

  test('a database that Messages has created, but not filled yet, is read once it is', () => {
    const world = new MessagesWorld();
    writeFileSync(world.path, '');
    expect(world.chatDb.access()).toMatchObject({ ok: false });
    world.receive({ from: PERSON, text: 'hi' });
    world.clock.advance(1000);
    expect(world.chatDb.access()).toEqual({ ok: true });
  });

  test('a file that is deleted while open becomes missing, and comes back', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    expect(world.chatDb.access()).toEqual({ ok: true });
    world.closeWriter();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${world.path}${suffix}`, { force: true });
    world.chatDb.changed();
    expect(world.chatDb.access()).toMatchObject({ code: 'chatdb_missing' });
    world.receive({ from: PERSON, text: 'hello again' });
    world.clock.advance(1000);
    expect(world.chatDb.changed()).toBe(true);
  });

  test('nothing is reopened after close', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    expect(world.chatDb.access()).toEqual({ ok: true });
    world.chatDb.close();
    world.clock.advance(5000);
    expect(world.chatDb.access()).toMatchObject({ ok: false });
    world.chatDb.close();
  });

  test('an internal error is not taken for a fault of the file', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    expect(() =>
      world.chatDb.readMessages(() => {
        throw new TypeError('ours');
      }),
    ).toThrow('ours');
    expect(world.chatDb.access()).toEqual({ ok: true });
  });
});

test('a look sees one state of chat.db: ROWIDs reassigned meanwhile mix no row with the files of another', () => {
  const world = new MessagesWorld();
  world.receive({ from: PERSON, text: 'words' });
  const photo = world.receive({ from: PERSON, text: 'a photo', attachments: [{ name: 'a.jpeg' }] });
  const found = world.chatDb.readMessages((messages) => {
    const rows = messages.rowsAfter(0, 10);
    world.writer.rewrites.rebuild((rowIds) => rowIds.toReversed());
    return rows.map(({ guid, rowId }) => ({ guid, files: messages.attachments(rowId).length }));
  });
  expect(found).toMatchObject({ kind: 'read', value: [{ files: 0 }, { guid: photo.guid, files: 1 }] });
  expect(world.chatDb.readMessages((messages) => messages.rowIdOf(photo.guid))).toMatchObject({ value: 1 });
});

test('and so does a look of several reads, as that for the row of a file that was sent', () => {
  const world = new MessagesWorld();
  const [words, photo] = ['words', 'a photo'].map((text, n) =>
    world.receive({ from: PERSON, text, attachments: n === 0 ? [] : [{ name: 'a.jpeg' }] }),
  );
  const { chatDb } = world;
  const rowIdOf = (guid = '') => chatDb.readMessages((messages) => messages.rowIdOf(guid));
  const found = chatDb.whole(() => {
    const before = rowIdOf(words?.guid);
    world.writer.rewrites.rebuild((rowIds) => rowIds.toReversed());
    return [before, rowIdOf(words?.guid), chatDb.readMessages((messages) => messages.attachments(1).length)];
  });
  expect(found).toMatchObject([{ value: 1 }, { value: 1 }, { value: 0 }]);
  expect([rowIdOf(photo?.guid), rowIdOf(words?.guid)]).toMatchObject([{ value: 1 }, { value: 2 }]);
});

test('a look in which a read fails leaves nothing open, and later rows are seen', () => {
  const world = new MessagesWorld();
  world.receive({ from: PERSON, text: 'before' });
  const { chatDb } = world;
  const fail = (code: string) => () => {
    throw new BetterSqlite3.SqliteError('as the disk says', code);
  };
  for (const code of ['SQLITE_BUSY', 'SQLITE_IOERR_SHORT_READ']) {
    expect(chatDb.whole(() => chatDb.readMessages(fail(code)).kind)).toBeUndefined();
    expect(chatDb.readMessages(fail(code))).toEqual({ kind: 'busy' });
  }
  expect(() => chatDb.whole(() => JSON.parse('no'))).toThrow(SyntaxError);
  const last = world.receive({ from: PERSON, text: 'later' });
  expect(chatDb.readMessages((messages) => messages.rowIdOf(last.guid))).toMatchObject({ value: 2 });
  expect(chatDb.whole(() => chatDb.readMessages(fail('SQLITE_CORRUPT')).kind)).toBeUndefined();
  expect(chatDb.whole(() => chatDb.highestRowId())).toBeUndefined();
  world.clock.advance(1_000);
  expect(chatDb.whole(() => chatDb.highestRowId())).toBe(2);
});

describe('the name of a group', () => {
  test.each(VERSIONS)('is the one that it has in Messages (macOS $version)', (options) => {
    const world = new MessagesWorld(options);
    const named = world.writer.groupChat([PERSON, OTHER], { name: 'The Family' });
    const nameless = world.writer.groupChat([PERSON, OTHER]);
    expect(world.chatDb.groupName(named.identifier)).toBe('The Family');
    expect(world.chatDb.groupName(nameless.identifier)).toBeNull();
    expect(world.chatDb.groupName(PERSON)).toBeNull();
    expect(world.chatDb.groupName('chat1')).toBeNull();
  });
});

describe('changed', () => {
  test('reports commits of another connection, once each, and nothing else', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    expect(world.chatDb.changed()).toBe(true);
    expect(world.chatDb.changed()).toBe(false);
    world.chatDb.highestRowId();
    expect(world.chatDb.changed()).toBe(false);
    world.receive({ from: PERSON, text: 'ho' });
    expect(world.chatDb.changed()).toBe(true);
    expect(world.chatDb.changed()).toBe(false);
  });

  test('sees updates that add no row', () => {
    const world = new MessagesWorld();
    const sent = world.writer.writeSent({ handle: PERSON, text: 'hi' });
    world.chatDb.changed();
    sent.markDelivered();
    expect(world.chatDb.changed()).toBe(true);
  });

  test('costs little more than asking SQLite whether anything changed', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    const bare = openDatabase(world.path, { readonly: true });
    const version = bare.prepare('PRAGMA data_version').pluck();
    const cpuOf = (work: () => void) => {
      for (let i = 0; i < 5_000; i++) work();
      const before = process.cpuUsage();
      for (let i = 0; i < 20_000; i++) work();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    // The budget, 3 ×, is measured by the bench of looks; CPU time of a test shares its process with others.
    expect(cpuOf(() => world.chatDb.changed()) / cpuOf(() => version.get())).toBeLessThan(30);
    bare.close();
  });

  test('a file that replaces another is reopened, under another generation', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'old' });
    world.chatDb.changed();
    const before = world.chatDb.generation();
    const restored = join(world.directory, 'restored.db');
    const writer = new ChatDbWriter(restored, { version: 26 });
    writer.receive({ from: PERSON, text: 'one' });
    writer.receive({ from: PERSON, text: 'two' });
    writer.close();
    world.closeWriter();
    for (const suffix of ['-wal', '-shm']) rmSync(`${world.path}${suffix}`, { force: true });
    renameSync(restored, world.path);
    expect(world.chatDb.changed()).toBe(true);
    expect(world.chatDb.generation()).not.toBe(before);
    expect(world.chatDb.highestRowId()).toBe(2);
  });

  test('the generation survives the process', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'hi' });
    const again = new ChatDb({ path: world.path, clock: world.clock, log: world.log, region: 'US' });
    expect(again.generation()).toBe(world.chatDb.generation());
    again.close();
  });
});

describe.each(VERSIONS)('rows of %o', (options) => {
  test('a message is read once with its chat, handle, text and dates', () => {
    const world = new MessagesWorld(options);
    const date = Date.UTC(2025, 10, 5, 20, 35, 13, 500);
    const message = world.receive({ from: PERSON, text: 'hi', date, attachments: [{ name: 'a.heic' }] });
    const read = world.chatDb.readMessages((rows) => rows.rowsAfter(0, 10));
    if (read.kind !== 'read') throw new Error(read.kind);
    expect(read.value).toHaveLength(1);
    expect(read.value[0]).toMatchObject({
      rowId: message.rowId,
      guid: message.guid,
      handle: PERSON,
      sentAt: date,
      isFromMe: 0,
      chatIdentifier: PERSON,
      chatStyle: 45,
      hasAttachments: 1,
    });
    const files = world.chatDb.readMessages((rows) => rows.attachments(message.rowId));
    expect(files).toMatchObject({
      value: [{ guid: `at_0_${message.guid}`, filename: 'a.heic', transferState: 5 }],
    });
  });

  test('a message in two chats comes once, in the chat whose service fits', () => {
    const world = new MessagesWorld(options);
    const sms = world.writer.addChat({
      style: 'direct',
      participants: [PERSON],
      service: 'SMS',
      guid: `SMS;-;${PERSON}`,
    });
    const message = world.receive({ from: PERSON, text: 'hi', chat: sms, service: 'iMessage' });
    world.writer.joinChat(message.rowId, world.writer.directChat(PERSON, 'iMessage'));
    const read = world.chatDb.readMessages((rows) => rows.rowsAfter(0, 10));
    expect(read).toMatchObject({ value: [{ rowId: message.rowId, chatService: 'iMessage' }] });
    expect(read.kind === 'read' && read.value).toHaveLength(1);
  });

  test('rows without chat or handle are rows', () => {
    const world = new MessagesWorld(options);
    world.writer.insertMessage({ text: 'orphan' });
    expect(world.chatDb.readMessages((rows) => rows.rowsAfter(0, 10))).toMatchObject({
      value: [{ chatRowId: null, handle: null }],
    });
  });

  test('old dates in seconds, zero and bogus dates', () => {
    const world = new MessagesWorld(options);
    world.writer.insertMessage({ text: 'a', date: 400_000_000 });
    world.writer.insertMessage({ text: 'b', date: 0 });
    world.writer.insertMessage({ text: 'c', date: 9223372036854775807n });
    world.writer.insertMessage({ text: 'd', date: 780000000123456789n });
    const read = world.chatDb.readMessages((rows) => rows.rowsAfter(0, 10).map((row) => row.sentAt));
    expect(read).toMatchObject({
      value: [978_307_200_000 + 400_000_000_000, null, null, 978_307_200_000 + 780_000_000_123],
    });
  });

  test('only those of the requested rows that still exist', () => {
    const world = new MessagesWorld(options);
    const [a, b] = [world.receive({ from: PERSON, text: 'a' }), world.receive({ from: PERSON, text: 'b' })];
    world.writer.deleteMessage(a.rowId);
    const read = world.chatDb.readMessages((rows) =>
      rows.rowsAmong([b.rowId, a.rowId, 99]).map((row) => row.guid),
    );
    expect(read).toMatchObject({ value: [b.guid] });
  });

  test('a deleted newest message does not lower the highest ROWID ever assigned', () => {
    const world = new MessagesWorld(options);
    const { rowId } = world.receive({ from: PERSON, text: 'a' });
    world.writer.deleteMessage(rowId);
    expect(world.chatDb.readMessages((rows) => rows.highestIssued())).toMatchObject({ value: rowId });
  });
});

test.each([11, 12, 27] as const)('the schema of macOS %i can be read too', (version) => {
  const world = new MessagesWorld({ version });
  world.receive({ from: PERSON, text: 'hi', attachments: [{}] });
  world.writer.writeSent({ handle: PERSON, text: 'yo' });
  expect(world.chatDb.readMessages((rows) => rows.rowsAfter(0, 10).length)).toMatchObject({ value: 2 });
  expect(world.chatDb.sentRowsAfter(0, 10)).toMatchObject([{ text: 'yo', joined: true }]);
});

test('no query scans the table of messages', () => {
  const world = new MessagesWorld({ version: 26 });
  world.writer.bulkReceive(50, { from: PERSON });
  const plans: string[] = [];
  world.chatDb.readMessages(() => undefined);
  const database = openDatabase(world.path, { readonly: true });
  const prepare = database.prepare.bind(database);
  for (const sql of recordedQueries(world)) {
    const plan = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(
      ...Array.from({ length: sql.split('?').length - 1 }, () => 1),
    );
    plans.push(...(plan as { detail: string }[]).map(({ detail }) => `${detail} ← ${sql.slice(0, 60)}`));
  }
  database.close();
  expect(plans.length).toBeGreaterThan(8);
  // "SCAN message" without an index to search would grow with history; LIMIT 1 and max(ROWID) go to the end at once.
  expect(
    plans.filter((plan) =>
      /^SCAN (?:m|n|x|j|a|b|chat_message_join)\b(?!.*(?:ORDER BY ROWID DESC LIMIT 1))/.test(plan),
    ),
  ).toEqual([]);
});

/** The SQL that the queries of the folder prepare. */
function recordedQueries(world: MessagesWorld): string[] {
  const seen: string[] = [];
  world.chatDb.readMessages(() => undefined);
  const prototype = Object.getPrototypeOf(openDatabase(':memory:')) as { prepare: (sql: string) => unknown };
  const original = prototype.prepare;
  prototype.prepare = function (this: unknown, sql: string) {
    seen.push(sql);
    return original.call(this, sql);
  };
  try {
    const fresh = new ChatDb({ path: world.path, clock: world.clock, log: world.log, region: 'US' });
    fresh.highestRowId();
    fresh.close();
  } finally {
    prototype.prepare = original;
  }
  return seen.filter((sql) => sql.startsWith('SELECT'));
}
