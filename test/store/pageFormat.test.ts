import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DamagedStore } from '../../src/store/salvage/DamagedStore.js';
import { PAGE_BYTES, pageBytesOf } from '../../src/store/salvage/pageBytesOf.js';
import { type Cell, treePage } from '../../src/store/salvage/pageFormat.js';
import { walFrames } from '../../src/store/salvage/walFrames.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { seeded } from '../support/seeded.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const EARLIER_PAGE = 4096;
const SIZES = [PAGE_BYTES, EARLIER_PAGE];
const SEED = 20261129;

/** A database of values of every kind and size, which fills interior pages and overflow chains; its log is still beside it. */
function written(pageBytes: number): { path: string; rows: unknown[][]; keys: unknown[][]; close(): void } {
  const path = join(temporaryDirectory(), 'values.db');
  const database = openDatabase(path);
  database.pragma(`page_size = ${pageBytes}`);
  database.pragma('journal_mode = WAL');
  database.exec(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c); CREATE TABLE k (key TEXT PRIMARY KEY, n) WITHOUT ROWID',
  );
  database.exec('CREATE INDEX t_a ON t (a)');
  const random = seeded(SEED);
  const kinds = [
    () => null,
    () => Math.floor(random() * 2 ** 53) * (random() < 0.5 ? -1 : 1),
    () => Math.floor(random() * 300) - 150,
    () => random() * 1e9,
    () => 'é😀 '.repeat(Math.floor(random() ** 4 * 5000)),
    () => Buffer.alloc(Math.floor(random() ** 4 * 9000), 0xab),
    () => 'x'.repeat(Math.floor(random() * 300)),
    () => 0,
    () => 1,
  ];
  const value = () => kinds[Math.floor(random() * kinds.length)]?.() ?? null;
  const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?)');
  const insertKey = database.prepare('INSERT INTO k VALUES (?, ?)');
  for (let n = 0; n < 1500; n++) {
    if (n % 100 === 0) database.exec('BEGIN');
    insert.run(n * 7 - 100, value(), value(), value());
    insertKey.run(`key ${n} ${'k'.repeat(Math.floor(random() * 100))}`, value());
    if (n % 100 === 99) database.exec('COMMIT');
    if (n === 699) database.exec('DELETE FROM t WHERE id % 3 = 0');
  }
  const rows = database.prepare('SELECT id, a, b, c FROM t ORDER BY id').raw().all() as unknown[][];
  const keys = database.prepare('SELECT key, n FROM k ORDER BY key').raw().all() as unknown[][];
  return { path, rows, keys, close: () => database.close() };
}

/** A file that was closed, and its log as it was before. */
function closedWithLog(pageBytes: number): { path: string; log: Buffer } {
  const { path, close } = written(pageBytes);
  const log = readFileSync(`${path}-wal`);
  close();
  return { path, log };
}

function read(path: string, tree: string): Cell[] {
  const store = new DamagedStore(path);
  const cells: Cell[] = [];
  expect(
    store.walk(
      tree,
      () => true,
      (cell) => cells.push(cell),
    ),
  ).toEqual({ pages: 0, cells: 0 });
  store.close();
  return cells;
}

/** Compared as texts: thousands of long values one by one take seconds. */
function plain(rows: readonly unknown[][]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

test.each(SIZES.flatMap((size) => [true, false].map((hasLog) => ({ size, hasLog }))))(
  'a sound file with pages of $size bytes is read as SQLite reads it (its log beside it: $hasLog)',
  ({ size, hasLog }) => {
    const { path, rows, keys, close } = written(size);
    if (!hasLog) close();
    expect(walFrames(path, size).offsets.size > 0).toBe(hasLog);
    expect(walFrames(path, size).damaged).toBe(false);
    expect(plain(read(path, 't').map(({ rowId, values }) => [rowId, ...values.slice(1)]))).toBe(plain(rows));
    const byKey = ([a]: unknown[], [b]: unknown[]) => (String(a) < String(b) ? -1 : 1);
    const found = read(path, 'k').map(({ values }) => values);
    expect(plain(found.toSorted(byKey))).toBe(plain(keys.toSorted(byKey)));
    expect(read(path, 't_a')).toHaveLength(rows.length);
    if (hasLog) close();
  },
);

test.each(SIZES)(
  `a page of %i bytes, whatever they are, is read within its bounds and never throws (seed ${SEED})`,
  (size) => {
    const { path, close } = written(size);
    close();
    const bytes = readFileSync(path);
    const random = seeded(SEED);
    const pages = bytes.length / size;
    for (let n = 0; n < 4000; n++) {
      const page = Buffer.alloc(size);
      const from = Math.floor(random() * pages) * size;
      bytes.copy(page, 0, from, from + size);
      const changes = n % 4 === 0 ? size : 1 + Math.floor(random() * 20);
      for (let change = 0; change < changes; change++) {
        const at = random() < 0.5 ? Math.floor(random() * 40) : Math.floor(random() * size);
        page[at] = Math.floor(random() * 256);
      }
      // Every overflow pointer leads to some page, and often back.
      const readPage = (number: number) =>
        number === 2 ? page : bytes.subarray((number % pages) * size, (number % pages) * size + size);
      expect(() => treePage(readPage, 2)).not.toThrow();
    }
  },
);

test.each(SIZES)(
  'a log with pages of %i bytes whose last commit was cut off is not reported damaged',
  (size) => {
    const { log } = closedWithLog(size);
    const cut = join(temporaryDirectory(), 'cut.db');
    const frame = size + 24;
    const count = Math.floor((log.length - 32) / frame);
    for (const length of [32 + frame * (count - 1) + 100, 32 + frame * Math.floor(count / 2), 40]) {
      writeFileSync(`${cut}-wal`, log.subarray(0, length));
      expect(walFrames(cut, size).damaged).toBe(false);
    }
    // A power cut may lose a page of the last commit and keep those behind it.
    const torn = Buffer.from(log);
    torn.fill(0, 32 + frame * (count - 1) + 24, 32 + frame * count);
    writeFileSync(`${cut}-wal`, torn);
    expect(walFrames(cut, size).damaged).toBe(false);
  },
);

test.each(SIZES)(
  'the size of pages is known where neither the header of the file nor that of its log can be read (%i bytes)',
  (size) => {
    const { path, log } = closedWithLog(size);
    const bytes = readFileSync(path);
    expect(pageBytesOf(path)).toBe(size);
    writeFileSync(path, bytes.fill(0x5a, 0, 100));
    writeFileSync(`${path}-wal`, log);
    expect(pageBytesOf(path)).toBe(size);
    writeFileSync(`${path}-wal`, log.fill(0x5a, 0, 32));
    expect(pageBytesOf(path)).toBe(size);
    writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 3)));
    expect(pageBytesOf(path)).toBe(size);
  },
);
