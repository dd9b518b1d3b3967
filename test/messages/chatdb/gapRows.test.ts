import BetterSqlite3 from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import { noteGap } from '../../../src/messages/chatdb/ReaderStore.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { ledgerGap } from '../../support/ledgerGap.js';
import { MessagesWorld, PERSON } from './messagesWorld.js';

/** A restored store, and a chat.db with a text that was sent since. */
function restored() {
  const world = new MessagesWorld();
  const store = world.newStore();
  const sent = world.writer.insertMessage(
    { is_from_me: 1, text: 'sent in the gap', handle_id: world.writer.handle(PERSON) },
    world.writer.directChat(PERSON),
  );
  world.closeWriter();
  const messages = openDatabase(world.path);
  onTestFinished(() => void messages.close());
  // In this mode a writer locks readers out, as clean-ups of Messages do.
  messages.pragma('journal_mode = DELETE');
  const now = world.clock.now();
  store.write(() =>
    store.lineage.record(
      { id: 'store', file: '1:1', counter: 7 },
      ledgerGap({
        generation: world.chatDb.generation(),
        afterRow: 0,
        until: now,
        copiedAt: now - 1_000,
        areRowsNoted: false,
      }),
    ),
  );
  return { world, store, messages, sent };
}

test('a gap is noted at the next look where chat.db is busy only for the look at its rows', () => {
  const { world, store, sent } = restored();
  const { chatDb, clock } = world;
  const busy = {
    generation: () => chatDb.generation(),
    highestRowId: () => chatDb.highestRowId(),
    whole: <T>(reads: () => T) => chatDb.whole(reads),
    // No other connection can lock it once this look has begun.
    rowsOfSendsSince() {
      chatDb.readMessages(() => {
        throw new BetterSqlite3.SqliteError('database is locked', 'SQLITE_BUSY');
      });
      return [];
    },
  };
  expect(noteGap(store, busy, clock)).toBe(false);
  expect(store.lineage.gap()).toMatchObject({ areRowsNoted: false, untilRow: null });
  expect(noteGap(store, chatDb, clock)).toBe(true);
  expect(store.lineage.gap()).toMatchObject({ areRowsNoted: true, untilRow: sent.rowId });
  expect(store.lineage.gapRows()).toMatchObject([{ guid: sent.guid }]);
});

test('no row is read before the gap is noted', () => {
  const { world, store, messages, sent } = restored();
  const { chatDb, clock, log } = world;
  store.write(() => store.cursor.set({ generation: chatDb.generation() ?? '', rowId: 0, guid: null }));
  let isBusy = true;
  const reader = new IncomingReader({
    ...{ chatDb, store, clock, log, region: 'US', ownAddresses: () => new Set<string>() },
    worthAnswering: () => true,
    beforeScan() {
      if (isBusy) messages.exec('BEGIN EXCLUSIVE');
      const mayBeRead = noteGap(store, chatDb, clock);
      if (isBusy) messages.exec('ROLLBACK');
      return mayBeRead;
    },
    onMessages: () => undefined,
  });
  onTestFinished(() => reader.stop());
  reader.scan();
  isBusy = false;
  expect(store.cursor.get()?.rowId).toBe(0);
  clock.advance(1_000);
  expect(store.cursor.get()?.rowId).toBe(sent.rowId);
  expect(store.lineage.gapRows()).toMatchObject([{ guid: sent.guid }]);
});
