import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PAGE_BYTES } from '../../src/store/salvage/pageBytesOf.js';
import { walFrames } from '../../src/store/salvage/walFrames.js';
import { type Database, openDatabase, openDurableDatabase } from '../../src/store/sqlite.js';
import { seeded } from '../support/seeded.js';
import { sized } from '../support/size.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const HEADER = 32;
const FRAME = 24 + PAGE_BYTES;
const SEEDS = sized(60, 3_000);

/** How many frames the log at this path has, by its index. */
function framesOf(path: string): number {
  const index = readFileSync(`${path}-shm`);
  return endianness() === 'LE' ? index.readUInt32LE(16) : index.readUInt32BE(16);
}

function logOf(path: string): Buffer {
  return readFileSync(`${path}-wal`);
}

/** Where the newest image of a page begins. */
function newest({ offsets }: ReturnType<typeof walFrames>): number {
  return Math.max(...offsets.values(), 0);
}

/** A database in use, on whose log anything may happen that happens to logs. */
class Logged {
  readonly path = join(temporaryDirectory(), 'a.db');
  readonly database = openDurableDatabase(this.path, {
    pageBytes: PAGE_BYTES,
    checkpointBytes: 64 * 1024 ** 2,
  });
  /** The header of the log in which a commit failed last. */
  failedIn: Buffer | undefined;
  private keys = 0;

  constructor(readonly random: () => number) {
    onTestFinished(() => void this.database.close());
    this.database.exec('CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)');
  }

  pick(below: number): number {
    return Math.floor(this.random() * below);
  }

  put(pages: number, database: Database = this.database): void {
    const key = this.random() < 0.3 ? this.pick(this.keys + 1) : ++this.keys;
    const value = 'x'.repeat(Math.max(1, pages * PAGE_BYTES - this.pick(500)));
    database.prepare('INSERT OR REPLACE INTO t VALUES (?, ?)').run(key, value);
  }

  /** As a kill would leave it. */
  copy(): string {
    const to = join(temporaryDirectory(), 'copy.db');
    for (const suffix of ['', '-wal', '-shm']) copyFileSync(this.path + suffix, to + suffix);
    return to;
  }

  /** A commit that fails when its frames are in the log, all of them or some. */
  fail(): void {
    const copy = this.copy();
    // Else what failed before would be there again.
    truncateSync(`${copy}-wal`, HEADER + framesOf(copy) * FRAME);
    const other = openDatabase(copy);
    this.put(1 + this.pick(40), other);
    const [log, end] = [logOf(other.name), framesOf(other.name)];
    other.close();
    const [live, count] = [logOf(this.path), framesOf(this.path)];
    if (!isSameLog(log, live) || end <= count) return;
    const cut = this.random() < 0.3 ? this.pick(900) : 0;
    const [from, to] = [HEADER + count * FRAME, HEADER + (count + 1 + this.pick(end - count)) * FRAME - cut];
    const whole = Buffer.alloc(Math.max(live.length, to));
    live.copy(whole);
    log.copy(whole, from, from, to);
    writeFileSync(`${this.path}-wal`, whole);
    this.failedIn = live.subarray(0, HEADER);
  }

  step(): void {
    const chance = this.random();
    if (chance < 0.55) this.put(this.pick(12));
    else if (chance < 0.62) this.put(20 + this.pick(60));
    else if (chance < 0.9) this.fail();
    else this.database.pragma(`wal_checkpoint(${['RESTART', 'PASSIVE', 'FULL', 'TRUNCATE'][this.pick(4)]})`);
  }
}

function isSameLog(one: Buffer, other: Buffer): boolean {
  return one.subarray(0, HEADER).equals(other.subarray(0, HEADER));
}

/**
 * The log in which only some blocks of the frames between these have reached the disk. The others have what they had before, or nothing: a
 * block of a commit that failed, which ends within the header of a frame, would have that pass for a commit.
 */
function cutOff(logged: Logged, before: Buffer, from: number, to: number): Buffer {
  const after = logOf(logged.path);
  const mixed = Buffer.alloc(logged.random() < 0.3 ? before.length : after.length);
  after.copy(mixed);
  const block = logged.random() < 0.5 ? 512 : 4096;
  const written = logged.random();
  const hasOld = logged.failedIn?.equals(before.subarray(0, HEADER)) !== true;
  for (let at = from - (from % block); at < Math.min(to, mixed.length); at += block) {
    if (logged.random() < written) continue;
    const [start, end] = [Math.max(at, from), Math.min(at + block, mixed.length, to)];
    mixed.fill(0, start, end);
    if (hasOld && start < before.length) before.copy(mixed, start, start, Math.min(end, before.length));
  }
  return mixed;
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'a log is reported damaged where it is, and nothing of it is read that was not committed (seed %i)',
  (seed) => {
    const logged = new Logged(seeded(seed));
    for (let steps = 4 + logged.pick(25); steps > 0; steps--) {
      logged.step();
      expect(walFrames(logged.path, PAGE_BYTES).damaged).toBe(false);
    }
    logged.put(1 + logged.pick(3));
    const [before, index, first] = [
      logOf(logged.path),
      readFileSync(`${logged.path}-shm`),
      framesOf(logged.path),
    ];
    logged.put(logged.random() < 0.3 ? logged.pick(3) : 3 + logged.pick(60));
    const end = framesOf(logged.path);
    expect(isSameLog(before, logOf(logged.path)) && end > first).toBe(true);

    // A power cut during the last commit: it is there completely, or nothing of it, as SQLite finds too.
    const cut = logged.copy();
    writeFileSync(`${cut}-wal`, cutOff(logged, before, HEADER + first * FRAME, HEADER + end * FRAME));
    if (logged.random() < 0.5) rmSync(`${cut}-shm`);
    else writeFileSync(`${cut}-shm`, index);
    const found = walFrames(cut, PAGE_BYTES);
    expect(found).toMatchObject({ damaged: false, isUncertain: false });
    const other = openDatabase(cut);
    other.prepare('SELECT count(*) FROM t').get();
    const isThere = framesOf(cut) === end;
    other.close();
    if (isThere) expect(newest(found)).toBe(HEADER + end * FRAME - PAGE_BYTES);
    else expect(newest(found)).toBeLessThan(HEADER + first * FRAME);

    // Damage to what is committed. Without its index, that of the last commits alone cannot be distinguished from a
    // power cut.
    const spoilt = logged.copy();
    if (logged.random() < 0.3) rmSync(`${spoilt}-shm`);
    const log = logOf(spoilt);
    const at = HEADER + logged.pick(end * FRAME);
    log.fill(
      logged.random() < 0.5 ? 0 : 0x5a,
      at,
      Math.min(at + 1 + logged.pick(3_000), HEADER + end * FRAME),
    );
    if (log.equals(logOf(spoilt))) return;
    writeFileSync(`${spoilt}-wal`, log);
    const damage = walFrames(spoilt, PAGE_BYTES);
    if (!existsSync(`${spoilt}-shm`)) return;
    expect(damage.damaged).toBe(true);
    expect(newest(damage)).toBeLessThan(HEADER + end * FRAME);
  },
);
