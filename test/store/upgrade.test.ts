import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { salvage } from '../../src/store/salvage.js';
import { MIGRATIONS } from '../../src/store/schema.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const options = { clock: new FakeClock(), log: new RecordingLog() };

/** A store as the first version left it, with a command and a pause in it. */
function firstVersion(): string {
  const path = join(temporaryDirectory(), 'store.db');
  const database = openDatabase(path);
  database.exec(MIGRATIONS[0] ?? '');
  database.pragma('user_version = 1');
  database.exec(`
    INSERT INTO commands (command_id, command_type, body, body_hash, via, received_at, state)
      VALUES ('cmd_1', 'send_message_now', '{}', 'hash', 'websocket', 7, 'open');
    INSERT INTO incoming (guid, conversation, message, sent_at, seen_at, state, attempts, first_posted_at, sends_before)
      VALUES ('m1', 'ann', '{}', 7, 7, 'open', 2, 7, 0);
    INSERT INTO pauses (conversation, reason, since) VALUES ('*', 'manual', 7);
  `);
  database.close();
  return path;
}

test('a store of the first version is copied, migrated, and has all its data', () => {
  const path = firstVersion();
  const store = Store.open(path, options);
  expect(store.commandLog.find('cmd_1')).toMatchObject({ receivedAt: 7, ackReadAt: null, ackReadVia: null });
  expect(store.pauses.list()).toEqual([{ conversation: '*', reason: 'manual', since: 7, incoming: false }]);
  expect(store.incoming.posted('ann', 0)).toEqual([{ guid: 'm1', isOpen: true, posts: 2, sendsBefore: 0 }]);
  store.close();
  expect(existsSync(`${path}.version-1`)).toBe(true);
  expect(statSync(`${path}.version-1`).mode & 0o777).toBe(0o600);
});

test('the data of a damaged store of an older version is salvaged into one of today', () => {
  const old = firstVersion();
  const path = join(temporaryDirectory(), 'store.db');
  Store.open(path, options).close();
  const target = openDatabase(path);
  salvage(old, target);
  expect(target.prepare('SELECT command_id FROM commands').pluck().all()).toEqual(['cmd_1']);
  expect(target.prepare('SELECT incoming FROM pauses').pluck().all()).toEqual([0]);
  target.close();
});

test('reflexes of an older version that name no message are assumed to answer the oldest open one, unless a reply has them', () => {
  const path = firstVersion();
  const database = openDatabase(path);
  const insert = database.prepare(
    `INSERT INTO sends (id, place, conversation, thread_id, text, role, priority, pause_ms, answers, created_at, state, twin)
     VALUES (?, 1, 'ann', 'ann', 'ok', ?, 0, 0, ?, 7, ?, ?)`,
  );
  insert.run('free', 'reflex', null, 'sent', null);
  insert.run('paired', 'reflex', null, 'sent', null);
  insert.run('bubble', 'first', 'm0', 'deduplicated', 2);
  insert.run('named', 'reflex', 'm0', 'sent', null);
  insert.run('heir', 'first', 'm9', 'queued', 4);
  database.close();
  const store = Store.open(path, options);
  const assumed = ['free', 'paired', 'named'].map((id) => store.sends.findById(id)?.assumed);
  expect(assumed).toEqual(['m1', null, null]);
  expect(store.sends.findById('heir')?.twin).toBe(null);
  expect(store.sends.findById('bubble')?.twin).toBe(2);
  store.close();
});

test('the rows that an older version had judged are known, by guid and to the millisecond, and when it began to read', () => {
  const path = join(temporaryDirectory(), 'store.db');
  const database = openDatabase(path);
  database.exec(MIGRATIONS[0] ?? '');
  database.pragma('user_version = 1');
  const message = JSON.stringify({ sender: 'ann', text: 'hi' });
  database.exec(`
    INSERT INTO chatdb_cursor (id, generation, row_id, guid) VALUES (1, 'g', 9, 'm1');
    INSERT INTO incoming (guid, conversation, message, sent_at, seen_at, state)
      VALUES ('m1', 'ann', '${message}', 70, 90, 'answered');
    INSERT INTO told (key, at) VALUES ('row:r1', 80), ('edit:m1:5', 60);
  `);
  database.close();
  const store = Store.open(path, options);
  expect(store.cursor.seen.like('ms them 70', 'ann')).toMatchObject([
    { guid: 'm1', original: 'm1', words: 'hi' },
  ]);
  expect(store.cursor.seen.has('r1')).toBe(true);
  expect(store.cursor.reading()).toEqual({
    ...{ since: 80, seeded: false, caughtUp: true, movedAt: null, lookUntil: null, beganIn: null },
    samples: [],
  });
  store.close();
});
