import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { appleSchema } from '../../../src/kit/messages/appleSchema.js';
import { ChatDbWriter, type ChatDbWriterOptions } from '../../../src/kit/messages/ChatDbWriter.js';
import { decodeAttributedBody } from '../../../src/messages/chatdb/attributedBody.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const VERSIONS = [13, 14, 15, 26] as const;

function open(options: ChatDbWriterOptions = {}) {
  const path = join(temporaryDirectory(), 'chat.db');
  const writer = new ChatDbWriter(path, options);
  const seen = openDatabase(path, { readonly: true });
  onTestFinished(() => {
    writer.close();
    seen.close();
  });
  const row = (sql: string, ...values: unknown[]) =>
    seen.prepare<unknown[], Record<string, unknown>>(sql).get(...values) ?? {};
  return { path, writer, seen, row };
}

describe.each(VERSIONS)('the chat.db of macOS %i', (version) => {
  test.each([{}, { srColumns: true }, { shuffledColumns: true }, { srColumns: true, shuffledColumns: true }])(
    'is a sound database with options %o',
    (options) => {
      const { writer, seen } = open({ version, ...options });
      writer.receive({ from: '+13105551234', text: 'hi', attachments: [{}] });
      expect(seen.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(seen.pragma('journal_mode', { simple: true })).toBe('wal');
    },
  );

  test('has the columns of its version and none of a later one', () => {
    const { seen } = open({ version });
    const columns = (seen.pragma('table_info(message)') as { name: string }[]).map(({ name }) => name);
    expect(columns).toContain('date_edited');
    expect(columns.includes('fallback_hash')).toBe(version >= 14);
    expect(columns.includes('schedule_type')).toBe(version >= 15);
    expect(columns.includes('ck_chat_id')).toBe(version >= 26);
    expect(columns).not.toContain('sr_ck_record_id');
  });

  test('the same message arrives in separate commits: row, text, chat, files, transfers', () => {
    const { writer, row } = open({ version });
    const message = writer.receive({ from: '+13105551234', text: 'hi', attachments: [{}], stages: ['row'] });
    const look = () =>
      row(
        `SELECT m.text, length(m.attributedBody) AS body, cache_has_attachments AS files,
         (SELECT count(*) FROM chat_message_join WHERE message_id = m.ROWID) AS chats,
         (SELECT max(transfer_state) FROM attachment) AS state FROM message m WHERE ROWID = ?`,
        message.rowId,
      );
    expect(look()).toEqual({ text: null, body: null, files: 0, chats: 0, state: null });
    message.write('text');
    expect(look()).toMatchObject({ body: expect.any(Number), chats: 0 });
    expect(look().text).toBe(version === 26 ? null : '\ufffchi');
    message.write('chat');
    expect(look()).toMatchObject({ chats: 1, files: 0 });
    message.write('attachments');
    expect(look()).toMatchObject({ files: 1, state: 0 });
    message.write('transfers').complete();
    expect(look()).toMatchObject({ state: 5, chats: 1 });
  });

  test('a text that is sent passes from inserted to sent, delivered and read', () => {
    const { writer, row } = open({ version });
    const sent = writer.writeSent({ handle: '+13105551234', text: 'yo', upTo: 'inserted' });
    const look = () =>
      row(
        'SELECT is_finished, is_sent, is_delivered, is_read, error FROM message WHERE ROWID = ?',
        sent.rowId,
      );
    expect(look()).toEqual({ is_finished: 0, is_sent: 0, is_delivered: 0, is_read: 0, error: 0 });
    sent.markSent();
    expect(look()).toMatchObject({ is_finished: 1, is_sent: 1, is_delivered: 0 });
    sent.markDelivered().markRead();
    expect(look()).toMatchObject({ is_delivered: 1, is_read: 1 });
    sent.markFailed(22);
    expect(look()).toMatchObject({ is_sent: 0, error: 22 });
    expect(row('SELECT count(*) AS failures FROM kvtable')).toEqual({ failures: 2 });
    sent.downgrade();
    expect(row('SELECT service, was_downgraded FROM message WHERE ROWID = ?', sent.rowId)).toEqual({
      service: 'SMS',
      was_downgraded: 1,
    });
  });

  test('names chats as that macOS does', () => {
    const { writer } = open({ version });
    expect(writer.directChat('a@b.c').guid).toBe(version === 26 ? 'any;-;a@b.c' : 'iMessage;-;a@b.c');
    expect(writer.groupChat(['a@b.c']).guid).toMatch(
      version === 26 ? /^any;\+;chat\d+$/ : /^iMessage;\+;chat\d+$/,
    );
  });

  test('the room name is cached on the message when it is joined to a group', () => {
    const { writer, row } = open({ version });
    const chat = writer.groupChat(['a@b.c', 'd@e.f'], { identifier: 'chat42' });
    const { rowId } = writer.receive({ from: 'a@b.c', text: 'x', chat });
    expect(row('SELECT cache_roomnames AS room FROM message WHERE ROWID = ?', rowId)).toEqual({
      room: 'chat42',
    });
  });
});

test('a ghost is an empty SMS row of no chat whose handle is the identifier it was meant for', () => {
  const { writer, row } = open({ version: 26 });
  const chat = writer.groupChat(['a@b.c'], { identifier: 'chat7' });
  const ghost = writer.writeSent({ chat: chat.guid, text: 'lost', ghost: true });
  expect(
    row(
      `SELECT m.service, m.text, m.attributedBody, m.is_empty, h.id, (SELECT count(*) FROM chat_message_join) AS joins
       FROM message m JOIN handle h ON h.ROWID = m.handle_id WHERE m.ROWID = ?`,
      ghost.rowId,
    ),
  ).toEqual({ service: 'SMS', text: null, attributedBody: null, is_empty: 1, id: 'chat7', joins: 0 });
});

test('an existing chat.db is written to as it is, by several processes', () => {
  const { path, writer } = open({ version: 26 });
  const chat = writer.directChat('+13105551234');
  const other = new ChatDbWriter(path, { version: 26 });
  other.writeSent({ chat: chat.guid, text: 'from elsewhere' });
  other.close();
  expect(writer.rowCount()).toBe(1);
  expect(writer.directChat('+13105551234')).toEqual(chat);
  expect(() => writer.writeSent({ chat: 'any;-;nobody', text: 'x' })).toThrow('no chat');
});

test('many rows for benches come in one commit', () => {
  const { writer } = open();
  writer.bulkReceive(5000, { from: '+13105551234' });
  expect(writer.rowCount()).toBe(5000);
});

test('shuffled columns are the same columns', () => {
  const names = (sql: string) =>
    sql
      .replace(/^[^(]*\(/, '')
      .split(', ')
      .sort();
  const [plain = ''] = appleSchema(26, { srColumns: true });
  const [shuffled = ''] = appleSchema(26, { srColumns: true, shuffledColumns: true });
  expect(shuffled).not.toBe(plain);
  expect(names(shuffled.replace(/\)$/, ''))).toEqual(names(plain.replace(/\)$/, '')));
});

describe('a chat.db that is rewritten', () => {
  test('keeps what is written to a message that got another ROWID meanwhile', () => {
    const { writer, row } = open();
    const coming = writer.receive({ from: '+13105551234', text: 'hi', stages: ['row'] });
    const going = writer.writeSent({ handle: '+13105551234', text: 'ho', upTo: 'first' });
    writer.rewrites.rebuild((rowIds) => rowIds.toReversed());
    coming.complete();
    going.settle().markSent();
    expect(row('SELECT text, is_from_me AS ours FROM message WHERE guid = ?', coming.guid)).toEqual({
      ...{ text: 'hi', ours: 0 },
    });
    expect(row('SELECT text, is_from_me AS ours FROM message WHERE guid = ?', going.guid)).toEqual({
      ...{ text: 'ho', ours: 1 },
    });
  });

  test('keeps the parts of a message with files in its copy', () => {
    const { writer, row } = open();
    const parts = ['\ufffc', 'one', 'two', '\ufffc', 'three'];
    const { guid } = writer.receive({ from: '+13105551234', parts, attachments: [{}, {}] });
    const copy = writer.rewrites.rewrite(guid);
    const { body } = row('SELECT attributedBody AS body FROM message WHERE guid = ?', copy.guid);
    const { text, runs } = decodeAttributedBody(body as Buffer);
    expect(runs.map(({ start, length }) => text?.slice(start, start + length))).toEqual(parts);
  });
});
