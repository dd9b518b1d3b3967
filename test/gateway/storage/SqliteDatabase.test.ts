import { readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Migration } from '../../../src/gateway/storage/migrations.js';
import { IN_MEMORY, SqliteDatabase } from '../../../src/gateway/storage/SqliteDatabase.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { systemClock } from '../../../src/system/clock.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { SmallDisk } from '../../support/SmallDisk.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { gate, NOTES, storageContract } from './contract.js';
import { expectWholePairs, writeUntilKilled } from './killedWriter.js';

const ADD = 'INSERT INTO notes (agent_id, id, words) VALUES ($1, $2, $3)';

async function openAt(path: string, migrations: readonly Migration[] = NOTES, clock = systemClock) {
  const database = await SqliteDatabase.open({ path, migrations, clock, log: new RecordingLog() });
  onTestFinished(() => database.close());
  return database;
}

storageContract('SQLite', (migrations) => openAt(join(temporaryDirectory(), 'gateway.sqlite'), migrations));

test('in memory, a read that is requested while a transaction runs waits for its end, and sees all of it or nothing', async () => {
  const database = await openAt(IN_MEMORY);
  for (const fails of [false, true]) {
    const { resolve: go, promise: begun } = gate();
    const { resolve: end, promise: ended } = gate();
    const ids = [fails ? 3 : 1, fails ? 4 : 2];
    const writing = database.transaction(async (tx) => {
      for (const id of ids) await tx.query(ADD, ['a', id, null]);
      go();
      await ended;
      if (fails) throw new Error('undone');
    });
    await begun;
    const reading = database.query('SELECT id FROM notes ORDER BY id');
    const soon = database.soon.query('SELECT count(*) AS count FROM notes');
    end();
    await (fails ? expect(writing).rejects.toThrow('undone') : writing);
    expect([await reading, await soon]).toEqual([[{ id: 1 }, { id: 2 }], [{ count: 2 }]]);
  }
});

test('in memory, each is a database of its own, and leaves no file', async () => {
  const [one, other] = [await openAt(IN_MEMORY), await openAt(IN_MEMORY)];
  await one.transaction(async (tx) => tx.query(ADD, ['a', 1, null]));
  expect(await other.query('SELECT id FROM notes')).toEqual([]);
  expect(readdirSync('.').filter((name) => name.startsWith(IN_MEMORY))).toEqual([]);
});

test('a LIMIT for which SQLite would prepare the statement again each time is refused', async () => {
  const database = await openAt(IN_MEMORY);
  const limited = (limit: string) => database.query(`SELECT id FROM notes LIMIT ${limit}`, [1]);
  await expect(limited('$1')).rejects.toMatchObject({ code: 'internal' });
  expect(await limited('CAST($1 AS BIGINT)')).toEqual([]);
});

test('all its files are private to the owner', async () => {
  const directory = temporaryDirectory();
  const database = await openAt(join(directory, 'gateway.sqlite'));
  await database.transaction(async (tx) => tx.query(ADD, ['a', 1, null]));
  const modes = readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777]);
  expect(modes.length).toBeGreaterThan(3);
  for (const [name, mode] of modes) expect(mode, String(name)).toBe(0o600);
});

test('a second gateway on the file is refused, under another name of it too, until the first one has closed', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'gateway.sqlite');
  const first = await openAt(path);
  symlinkSync(path, join(directory, 'other.sqlite'));
  await expect(openAt(path)).rejects.toMatchObject({ code: 'storage_in_use' });
  await expect(openAt(join(directory, 'other.sqlite'))).rejects.toMatchObject({ code: 'storage_in_use' });
  await first.close();
  await openAt(path);
});

test('the file of another program is refused and left as it is', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'edge-agent.db');
  const other = openDatabase(path);
  other.exec('CREATE TABLE commands (id TEXT)');
  other.close();
  await expect(openAt(path)).rejects.toMatchObject({ code: 'storage_unsuitable' });
  writeFileSync(
    join(directory, 'notes.txt'),
    'no database at all, but long enough for a header of SQLite'.repeat(20),
  );
  await expect(openAt(join(directory, 'notes.txt'))).rejects.toMatchObject({ code: 'store_damaged' });
});

test('a directory that does not exist is named, and nothing is left open', async () => {
  const path = join(temporaryDirectory(), 'missing', 'gateway.sqlite');
  await expect(openAt(path)).rejects.toMatchObject({ code: 'storage_unavailable' });
});

test('a schema from the future is refused, and an old one migrated', async () => {
  const path = join(temporaryDirectory(), 'gateway.sqlite');
  const more: readonly Migration[] = [...NOTES, () => ['ALTER TABLE notes ADD COLUMN more TEXT']];
  const old = await openAt(path);
  await old.transaction(async (tx) => tx.query(ADD, ['a', 1, 'kept']));
  await old.close();
  const current = await openAt(path, more);
  expect(await current.query('SELECT words, more FROM notes')).toEqual([{ words: 'kept', more: null }]);
  await current.close();
  await expect(openAt(path)).rejects.toMatchObject({ code: 'store_newer' });
});

test('a migration that fails halfway leaves the previous schema', async () => {
  const path = join(temporaryDirectory(), 'gateway.sqlite');
  await (await openAt(path)).close();
  const failing: Migration = () => [
    'ALTER TABLE notes ADD COLUMN more TEXT',
    'CREATE TABLE notes (id BIGINT)',
  ];
  await expect(openAt(path, [...NOTES, failing])).rejects.toMatchObject({ code: 'internal' });
  const database = await openAt(path);
  await expect(database.query('SELECT more FROM notes')).rejects.toMatchObject({ code: 'internal' });
});

test('work that waits for something other than its transaction is given up, and the others continue', async () => {
  const clock = new FakeClock();
  const database = await openAt(join(temporaryDirectory(), 'gateway.sqlite'), NOTES, clock);
  const { promise: hasBegun, resolve: begin } = gate();
  const hanging = database.transaction(async (tx) => {
    await tx.query(ADD, ['a', 1, null]);
    begin();
    await new Promise(() => undefined);
  });
  const other = database.transaction(async (tx) => tx.query(ADD, ['a', 2, null]));
  const refused = expect(hanging).rejects.toMatchObject({ code: 'storage_unavailable' });
  await hasBegun;
  clock.advance(10_000);
  await refused;
  await other;
  expect(await database.query('SELECT id FROM notes')).toEqual([{ id: 2 }]);
});

test('a lock of another program is an error that says so, and the next transaction succeeds', async () => {
  const path = join(temporaryDirectory(), 'gateway.sqlite');
  const database = await openAt(path);
  const shell = openDatabase(path);
  shell.exec('BEGIN IMMEDIATE');
  const refused = database.transaction(async (tx) => tx.query(ADD, ['a', 1, null]));
  await expect(refused).rejects.toMatchObject({ code: 'storage_unavailable' });
  shell.exec('ROLLBACK');
  shell.close();
  await database.transaction(async (tx) => tx.query(ADD, ['a', 2, null]));
  expect(await database.query('SELECT id FROM notes')).toEqual([{ id: 2 }]);
});

const mountable = SmallDisk.canMount();

test.skipIf(!mountable)(
  'a full disk refuses what needs room, rolls all of it back, and accepts it again later',
  async (context) => {
    const directory = join(temporaryDirectory(), 'disk');
    const disk = SmallDisk.mount(context, directory, 4);
    const database = await openAt(join(directory, 'gateway.sqlite'));
    const add = (id: number, kilobytes: number) =>
      database.transaction(async (tx) => tx.query(ADD, ['a', id, 'x'.repeat(kilobytes * 1_000)]));
    await add(1, 1);
    disk.fill(100_000);
    const [large, small] = await Promise.allSettled([add(2, 1_000), add(3, 1)]);
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'disk_full' } });
    expect(small.status).toBe('fulfilled');
    disk.makeRoom();
    await add(4, 500);
    expect(await database.query('SELECT id FROM notes ORDER BY id')).toEqual([
      { id: 1 },
      { id: 3 },
      { id: 4 },
    ]);
    await database.close();
  },
);

test.skipIf(!mountable)('a disk that is mounted read-only is refused at the start', async (context) => {
  const directory = join(temporaryDirectory(), 'disk');
  const disk = SmallDisk.mount(context, directory, 4);
  await (await openAt(join(directory, 'gateway.sqlite'))).close();
  disk.makeReadOnly();
  for (const name of ['gateway.sqlite', 'new.sqlite']) {
    await expect(openAt(join(directory, name))).rejects.toMatchObject({ code: 'storage_read_only' });
  }
});

test('a kill at any time keeps every transaction that had resolved, and none in part', async () => {
  const path = join(temporaryDirectory(), 'gateway.sqlite');
  await (await openAt(path)).close();
  const reported = await writeUntilKilled(['sqlite', path], 400);
  await expectWholePairs(await openAt(path), reported);
});
