import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { PAGE_BYTES as PAGE } from '../../src/store/salvage/pageBytesOf.js';
import { SALVAGE_RULES } from '../../src/store/salvage/rules.js';
import { tablesOf } from '../../src/store/salvage/shapes.js';
import { MIGRATIONS } from '../../src/store/schema.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { seeded } from '../support/seeded.js';
import { sized } from '../support/size.js';
import { type Killed, killedAtWork, nextLife, pagesOf, revive, spoil } from './SalvageWorld.js';
import { damagedLife, keepsItsPromises } from './salvagePromises.js';

function tables(): string[] {
  const database = openDatabase(':memory:');
  for (const step of MIGRATIONS) database.exec(step);
  const names = tablesOf(database);
  database.close();
  return names;
}

test('every table of the store has a rule for its salvage, and no rule is for a table that is gone', () => {
  expect(Object.keys(SALVAGE_RULES).toSorted()).toEqual(tables().toSorted());
});

/** Made by the first test that needs it. */
let killed: Promise<Killed> | undefined;

const SEEDS = [1, 2, 3];
/** Each table is damaged by one seed of them, by turns; in the long run by each. */
const SPOILED = tables().flatMap((table, index) =>
  sized([1 + (index % SEEDS.length)], SEEDS).map((seed) => ({ table, seed })),
);

describe('one damaged page', () => {
  test.each(SPOILED)(
    'of $table causes no second text, and no loss of an ack, of a message or without a report (seed $seed)',
    async ({ table, seed }) => {
      killed ??= killedAtWork();
      keepsItsPromises(await damagedLife(await killed, table, seed));
    },
  );
});

/** Overwrites bytes of a file in place. */
function overwrite(path: string, at: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes, 0x5a), 0, bytes, at);
  closeSync(file);
}

/** Where a frame of the log begins, this far into the part that belongs to the store's present (0 to 1). */
function frameAt(path: string, share: number): number {
  const log = readFileSync(`${path}-wal`);
  const salts = log.subarray(16, 24);
  let count = 0;
  const at = (frame: number) => 32 + frame * (PAGE + 24);
  while (at(count + 1) <= log.length && log.subarray(at(count) + 8, at(count) + 16).equals(salts)) count++;
  expect(count).toBeGreaterThan(10);
  return at(Math.floor(count * share));
}

describe('a store that is damaged otherwise keeps the same promises', () => {
  test.each<{ what: string; checkpointed: boolean; damage(path: string): void }>([
    { what: 'its header overwritten', checkpointed: true, damage: (path) => overwrite(path, 0, 100) },
    { what: 'its first page overwritten', checkpointed: true, damage: (path) => overwrite(path, 0, PAGE) },
    {
      what: 'cut to half its length',
      checkpointed: true,
      damage: (path) => truncateSync(path, statSync(path).size / 2),
    },
    {
      what: 'cut in the middle of a page',
      checkpointed: true,
      damage: (path) => truncateSync(path, statSync(path).size - PAGE - 1000),
    },
    {
      what: 'a frame in the middle of its log overwritten',
      checkpointed: false,
      damage: (path) => overwrite(`${path}-wal`, frameAt(path, 0.5) + 24, PAGE),
    },
    {
      what: 'the header of a frame overwritten',
      checkpointed: false,
      damage: (path) => overwrite(`${path}-wal`, frameAt(path, 0.3), 24),
    },
    {
      what: 'the header of its log overwritten',
      checkpointed: false,
      damage: (path) => overwrite(`${path}-wal`, 0, 32),
    },
    { what: 'emptied beside its log', checkpointed: false, damage: (path) => truncateSync(path, 0) },
    {
      what: 'twelve pages overwritten',
      checkpointed: true,
      damage(path) {
        const random = seeded(12);
        const pages = Math.floor(statSync(path).size / PAGE);
        for (let n = 0; n < 12; n++) spoil(path, 2 + Math.floor(random() * (pages - 1)), 'noise', random);
      },
    },
  ])('$what', async ({ checkpointed, damage }) => {
    killed ??= killedAtWork();
    const { path, outside } = revive(await killed, checkpointed);
    damage(path);
    const life = await nextLife(path, outside);
    expect(life.store.salvaged).toBeDefined();
    await life.settle(false);
    keepsItsPromises(life);
  });

  test('of which only the indexes are damaged, nothing is lost', async () => {
    killed ??= killedAtWork();
    const { path, outside } = revive(await killed, true);
    for (const table of ['commands', 'sends', 'incoming', 'schedule']) {
      const rows = new Set(pagesOf(path, table, 'tree'));
      for (const page of pagesOf(path, table, 'any'))
        if (!rows.has(page)) spoil(path, page, 'zeros', seeded(1));
    }
    const life = await nextLife(path, outside);
    const tables = Object.values(life.store.salvaged?.tables ?? {});
    expect(tables.length).toBeGreaterThan(0);
    expect(tables.filter(({ lost, mayBeMore }) => lost > 0 || mayBeMore)).toEqual([]);
    await life.settle(true);
    keepsItsPromises(life);
  });
});

describe('a kill in the middle of a salvage', () => {
  test('before the new store is complete leaves the damaged one, and the next start salvages it', async () => {
    killed ??= killedAtWork();
    const { path, outside } = revive(await killed, true);
    spoil(path, pagesOf(path, 'sends', 'leaf')[0] ?? 0, 'ones', seeded(1));
    copyFileSync(path, `${path}.salvaging`);
    truncateSync(`${path}.salvaging`, 10_000);
    const life = await nextLife(path, outside);
    await life.settle(true);
    keepsItsPromises(life);
    expect(existsSync(`${path}.salvaging`)).toBe(false);
  });

  test('once it is complete lets the next start put it in its place, without the log of the damaged one', async () => {
    killed ??= killedAtWork();
    const { path, outside } = revive(await killed, false);
    overwrite(`${path}-wal`, frameAt(path, 0.5) + 24, PAGE);
    const [damaged, log] = [`${path}.was`, `${path}-wal.was`];
    linkSync(path, damaged);
    linkSync(`${path}-wal`, log);
    const bytes = [readFileSync(damaged), readFileSync(log)];
    const options = { clock: new FakeClock(), log: new RecordingLog() };
    const first = Store.open(path, options);
    const report = first.salvaged;
    first.close();
    const unmark = openDatabase(path);
    unmark.exec("DELETE FROM meta WHERE key = 'clean_stop'");
    unmark.close();
    // As the kill left it: the new store complete beside the damaged one and its log.
    renameSync(path, `${path}.salvaged`);
    linkSync(damaged, path);
    linkSync(log, `${path}-wal`);
    const life = await nextLife(path, outside);
    expect(report).toBeDefined();
    expect(life.store.salvaged).toEqual(report);
    expect([damaged, log].map((file, n) => readFileSync(file).equals(bytes[n] ?? Buffer.alloc(0)))).toEqual([
      true,
      true,
    ]);
    await life.settle(true);
    keepsItsPromises(life);
  });
});
