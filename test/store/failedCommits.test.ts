import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lookIntoStore } from '../../src/store/lookIntoStore.js';
import { PAGE_BYTES } from '../../src/store/salvage/pageBytesOf.js';
import { walFrames } from '../../src/store/salvage/walFrames.js';
import { type Database, openDatabase, openDurableDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { SmallDisk } from '../support/SmallDisk.js';
import { openTestStore, temporaryDirectory } from '../support/temporaryStore.js';

const HEADER = 32;
const FRAME = 24 + PAGE_BYTES;
/** The index of a log has room for so many frames until it is given another 32 KiB (sqlite.org/walformat.html). */
const FIRST_INDEX = 4062;

/** Opens it as the next start does; what it set aside as damaged, if anything. */
function start(path: string): string | undefined {
  const store = openTestStore(path, { clock: new FakeClock(), log: new RecordingLog() });
  const aside = store.salvaged?.aside;
  store.close();
  return aside;
}

/** A store in a directory, open, whose log is copied into the file late. */
function opened(directory = temporaryDirectory()): { path: string; database: Database } {
  const path = join(directory, 'edge-agent.db');
  start(path);
  const database = openDurableDatabase(path, { checkpointBytes: 64 * 1024 ** 2 });
  onTestFinished(() => void database.close());
  // Else a start looks less thoroughly.
  database.exec("DELETE FROM meta WHERE key = 'clean_stop'");
  return { path, database };
}

/** One commit of about so many frames. */
function put(database: Database, key: string, pages = 1): void {
  const value = ''.padEnd(pages * PAGE_BYTES, '.');
  database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, value);
}

function keys(path: string): string[] {
  const database = openDatabase(path);
  const found = database
    .prepare<[], string>("SELECT key FROM meta WHERE key GLOB '[pf]*' ORDER BY key")
    .pluck();
  const all = found.all();
  database.close();
  return all;
}

/** The store as a kill would leave it at this moment. */
function killed(path: string): string {
  const copy = join(temporaryDirectory(), 'edge-agent.db');
  for (const suffix of ['', '-wal', '-shm']) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

/** How many frames of its log are committed, by its index. */
function committed(path: string): number {
  const index = readFileSync(`${path}-shm`);
  return endianness() === 'LE' ? index.readUInt32LE(16) : index.readUInt32BE(16);
}

/**
 * The log of three commits that began at the same frame, as the first two failed once they were written: 30 frames, 20, and 8 which
 * are valid.
 */
function overwritten(): string {
  const { path, database } = opened();
  for (const n of [0, 1, 2, 3, 4]) put(database, `put ${n}`);
  const before = killed(path);
  const failed = [20, 30].map((pages) => {
    const other = openDatabase(killed(before));
    put(other, `failed ${pages}`, pages);
    const log = readFileSync(`${other.name}-wal`);
    other.close();
    return log;
  });
  put(database, 'put 5', 8);
  const copy = killed(path);
  const valid = readFileSync(`${copy}-wal`).subarray(0, HEADER + committed(copy) * FRAME);
  const log = [valid, ...failed].reduce((top, below) => Buffer.concat([top, below.subarray(top.length)]));
  expect(log.length).toBeGreaterThan(valid.length + 20 * FRAME);
  writeFileSync(`${copy}-wal`, log);
  return copy;
}

/** Where the newest image of a page lies, in frames. */
function newest(path: string): number {
  return Math.max(...walFrames(path, PAGE_BYTES).offsets.values(), 0) / FRAME;
}

describe('a log in which commits failed and were overwritten in part by shorter ones', () => {
  test.each([true, false])(
    'is not reported damaged, and nothing of them is read (its index is there: %s)',
    (hasIndex) => {
      const path = overwritten();
      const end = committed(path);
      if (!hasIndex) rmSync(`${path}-shm`);
      expect(walFrames(path, PAGE_BYTES).damaged).toBe(false);
      expect(newest(path)).toBeLessThan(end);
      expect(start(path)).toBeUndefined();
      expect(keys(path)).toEqual(['put 0', 'put 1', 'put 2', 'put 3', 'put 4', 'put 5']);
    },
  );

  test('hides no damage before it, of which nothing after the last commit is read', () => {
    const path = overwritten();
    const end = committed(path);
    const log = readFileSync(`${path}-wal`);
    log.fill(0x5a, HEADER + 3 * FRAME + 24, HEADER + 4 * FRAME);
    writeFileSync(`${path}-wal`, log);
    rmSync(`${path}-shm`);
    expect(walFrames(path, PAGE_BYTES).damaged).toBe(true);
    expect(newest(path)).toBeLessThan(end);
    expect(start(path)).toBeDefined();
  });

  test('is not read past a last commit that cannot be read, where its index exists', () => {
    const path = overwritten();
    const end = committed(path);
    rewrite(path, HEADER + (end - 1) * FRAME, HEADER + end * FRAME, (bytes) => bytes.fill(0x5a));
    expect(walFrames(path, PAGE_BYTES).damaged).toBe(true);
    expect(newest(path)).toBeLessThan(end);
  });

  test.skipIf(!SmallDisk.canMount())(
    'as its index could not grow on a full disk, costs nothing after a kill',
    () => {
      const directory = join(temporaryDirectory(), 'small');
      const disk = SmallDisk.mount({ onTestFinished }, directory, 12);
      const { path, database } = opened(directory);
      let count = 0;
      while (committed(path) < FIRST_INDEX - 10) put(database, `put ${count++}`);
      disk.fill(50 * 1024);
      for (const pages of [36, 24, 12]) expect(() => put(database, `failed ${pages}`, pages)).toThrow();
      const copy = killed(path);
      expect(walFrames(copy, PAGE_BYTES).damaged).toBe(false);
      expect(start(copy)).toBeUndefined();
      // The last one is completely on the disk: it may be there, those before it are not.
      const taken = Array.from({ length: count }, (_, n) => `put ${n}`).toSorted();
      expect(keys(copy).filter((key) => key !== 'failed 12')).toEqual(taken);
    },
  );
});

test.skipIf(!SmallDisk.canMount())(
  'a disk too full for the index of the log is reported full, until there is room',
  () => {
    const directory = join(temporaryDirectory(), 'small');
    const disk = SmallDisk.mount({ onTestFinished }, directory, 16);
    const path = join(directory, 'edge-agent.db');
    const log = new RecordingLog();
    const store = openTestStore(path, { clock: new FakeClock(), log });
    onTestFinished(() => store.close());
    for (let n = 0; committed(path) < FIRST_INDEX - 10; n++)
      store.write(() => store.meta.set('small', String(n)));
    disk.fill(50 * 1024);
    const wide = ''.padEnd(36 * PAGE_BYTES, '.');
    const answers = new Set<unknown>();
    for (const _ of [1, 2, 3]) {
      try {
        store.write(() => store.meta.set('wide', wide));
      } catch (error) {
        answers.add((error as { code?: unknown }).code);
      }
      // It fits, but what was refused does not.
      store.write(() => store.meta.set('small', 'fits'));
      expect(store.fault()).toMatchObject({ code: 'disk_full' });
    }
    expect(answers).toContain('SQLITE_IOERR_SHMSIZE');
    disk.makeRoom();
    store.write(() => store.meta.set('small', 'fits'));
    expect(store.fault()).toBeUndefined();
  },
);

/** A store killed behind commits of a few pages, and one of many, which is the last. */
function killedBehindWide(): string {
  const { path, database } = opened();
  for (const n of [0, 1, 2]) put(database, `put ${n}`);
  const before = committed(path);
  put(database, 'put 3', 40);
  expect(committed(path)).toBeGreaterThan(before + 40);
  return killed(path);
}

/** Writes over the log, from a byte to another. */
function rewrite(path: string, from: number, to: number, before: (bytes: Buffer) => void): void {
  const log = readFileSync(`${path}-wal`);
  before(log.subarray(from, to));
  writeFileSync(`${path}-wal`, log);
}

/** Blocks of a disk, in the middle of the commit of 40 pages. */
function middleBlocks(path: string): { from: number; to: number } {
  const from = Math.ceil((HEADER + (committed(path) - 30) * FRAME) / 4096) * 4096;
  return { from, to: from + 2 * 4096 };
}

describe('a power cut during the last commit, of which only some blocks are on the disk', () => {
  test('is no damage where the others are empty', () => {
    const path = killedBehindWide();
    const { from, to } = middleBlocks(path);
    rmSync(`${path}-shm`);
    rewrite(path, from, to, (bytes) => bytes.fill(0));
    expect(walFrames(path, PAGE_BYTES)).toMatchObject({ damaged: false, isUncertain: false });
    expect(start(path)).toBeUndefined();
    expect(keys(path)).toEqual(['put 0', 'put 1', 'put 2']);
  });

  test('is no damage where the others have what the log held before it began again', () => {
    const { path, database } = opened();
    put(database, 'put 0', 80);
    database.pragma('wal_checkpoint(RESTART)');
    const earlier = readFileSync(`${path}-wal`);
    put(database, 'put 1');
    put(database, 'put 2', 40);
    const copy = killed(path);
    rmSync(`${copy}-shm`);
    const { from, to } = middleBlocks(path);
    rewrite(copy, from, to, (bytes) => void earlier.copy(bytes, 0, from, to));
    expect(walFrames(copy, PAGE_BYTES)).toMatchObject({ damaged: false, isUncertain: false });
    expect(start(copy)).toBeUndefined();
    expect(keys(copy)).toEqual(['put 0', 'put 1']);
  });

  test('is distinguished from blocks that were lost of a commit before the last one', () => {
    const path = killedBehindWide();
    const { from, to } = middleBlocks(path);
    const other = openDatabase(path);
    put(other, 'put 4', 3);
    const log = readFileSync(`${path}-wal`);
    other.close();
    writeFileSync(`${path}-wal`, log);
    rmSync(`${path}-shm`, { force: true });
    rewrite(path, from, to, (bytes) => bytes.fill(0));
    expect(walFrames(path, PAGE_BYTES).damaged).toBe(true);
  });
});

describe('a log whose last commit cannot be read', () => {
  test.each([
    { what: 'the header of its last frame', from: 0, to: 24 },
    { what: 'its last frame', from: 0, to: FRAME },
    { what: 'the checksum of its last frame', from: 16, to: 24 },
  ])('is reported damaged where its index has that commit: $what is overwritten', ({ from, to }) => {
    const { path, database } = opened();
    for (const n of [0, 1, 2]) put(database, `put ${n}`, 4);
    const copy = killed(path);
    const at = HEADER + (committed(copy) - 1) * FRAME;
    rewrite(copy, at + from, at + to, (bytes) => bytes.fill(0x5a));
    expect(walFrames(copy, PAGE_BYTES)).toMatchObject({ damaged: true });
    expect(start(copy)).toBeDefined();
  });

  test('is reported damaged where its index has that commit, and it is cut off', () => {
    const { path, database } = opened();
    for (const n of [0, 1, 2]) put(database, `put ${n}`, 4);
    const copy = killed(path);
    truncateSync(`${copy}-wal`, HEADER + (committed(copy) - 2) * FRAME);
    expect(walFrames(copy, PAGE_BYTES)).toMatchObject({ damaged: true, isUncertain: true });
    expect(start(copy)).toBeDefined();
  });

  test('is not read by a look at the store, which would make its index forget that commit', () => {
    const { path, database } = opened();
    for (const n of [0, 1, 2]) put(database, `put ${n}`, 4);
    const copy = killed(path);
    const at = HEADER + (committed(copy) - 1) * FRAME;
    rewrite(copy, at + 24, at + FRAME, (bytes) => bytes.fill(0x5a));
    expect(lookIntoStore(copy, new FakeClock())).toBeUndefined();
    expect(start(copy)).toBeDefined();
  });

  test('is reported damaged without its index where what precedes its last frame is no valid frame', () => {
    const { path, database } = opened();
    for (const n of [0, 1, 2]) put(database, `put ${n}`, 4);
    const before = committed(path);
    database.prepare("UPDATE meta SET value = 'x' WHERE key = 'put 0'").run();
    const copy = killed(path);
    rmSync(`${copy}-shm`);
    const end = committed(path);
    const at = HEADER + (end - 2) * FRAME;
    expect(end).toBeGreaterThan(before);
    rewrite(copy, at, at + 24, (bytes) => bytes.fill(0x5a));
    expect(walFrames(copy, PAGE_BYTES).damaged).toBe(true);
  });

  test.each([0, 1])(
    'is reported damaged where its index has that commit (%i frames before its end)',
    (back) => {
      const { path, database } = opened();
      for (const n of [0, 1, 2]) put(database, `put ${n}`, 4);
      const copy = killed(path);
      const log = readFileSync(`${copy}-wal`);
      const at = HEADER + (committed(copy) - 1 - back) * FRAME + 24;
      log.fill(0x5a, at, at + PAGE_BYTES);
      writeFileSync(`${copy}-wal`, log);
      expect(walFrames(copy, PAGE_BYTES).damaged).toBe(true);
      rmSync(`${copy}-shm`);
      // As after a power cut, which may lose a part of what was under way.
      expect(walFrames(copy, PAGE_BYTES).damaged).toBe(false);
    },
  );
});
