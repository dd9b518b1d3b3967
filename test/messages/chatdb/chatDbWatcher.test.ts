import { mkdirSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { ChatDbWatcher, type ChatDbWatcherOptions } from '../../../src/messages/chatdb/ChatDbWatcher.js';
import { systemClock } from '../../../src/system/clock.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { PERSON } from './messagesWorld.js';

/** Resolves at the next call of a listener that sees `condition`. */
function untilLook(watcher: ChatDbWatcher, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = watcher.onLook(() => {
      if (!condition()) return;
      stop();
      resolve();
    });
  });
}

function real(options: Partial<ChatDbWatcherOptions> = {}) {
  const directory = join(temporaryDirectory(), 'Messages');
  mkdirSync(directory);
  const path = join(directory, 'chat.db');
  const writer = new ChatDbWriter(path);
  writer.receive({ from: PERSON, text: 'before' });
  const log = new RecordingLog();
  const chatDb = new ChatDb({ path, clock: systemClock, log, region: 'US' });
  const watcher = new ChatDbWatcher({ chatDb, clock: systemClock, log, ...options });
  onTestFinished(() => {
    watcher.stop();
    chatDb.close();
    writer.close();
  });
  return { directory, path, writer, chatDb, watcher, log };
}

/** A directory reports that a file in it was created or deleted, and not that an open one was written. */
const asOnMacOs: NonNullable<ChatDbWatcherOptions['watchPath']> = (path, onEvent) =>
  watch(path, { encoding: 'utf8' }, (event, name) => {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory() || event === 'rename') onEvent(event, name);
  });

describe('by file events', () => {
  test('a commit is noticed long before the tick, at the median', async () => {
    // Neither tick nor forced look comes within this test: only events can trigger it.
    const { writer, chatDb, watcher } = real({ tickMs: 600_000, forcedMs: 600_000 });
    watcher.start();
    // Nothing was seen yet, so that it would be a guess.
    expect(watcher.hasEvents()).toBe(false);
    const took: number[] = [];
    for (let i = 0; i < 21; i++) {
      const began = performance.now();
      const { rowId } = writer.receive({ from: PERSON, text: `${i}` });
      await untilLook(watcher, () => chatDb.highestRowId() === rowId);
      took.push(performance.now() - began);
    }
    // The budget is 10 ms; the bench measures it, this allows for a loaded machine.
    expect(took.sort((a, b) => a - b)[10]).toBeLessThan(100);
    expect(watcher.hasEvents()).toBe(true);
  });

  test('those of -wal alone are enough, also once it is another file: macOS reports no write to it on the directory', async () => {
    const { path, writer, chatDb, watcher } = real({
      tickMs: 600_000,
      forcedMs: 600_000,
      watchPath: asOnMacOs,
    });
    watcher.start();
    const noticed = (rowId: number) => untilLook(watcher, () => (chatDb.highestRowId() ?? 0) >= rowId);
    const first = writer.receive({ from: PERSON, text: 'first' });
    await noticed(first.rowId);
    writer.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    const again = new ChatDbWriter(path);
    onTestFinished(() => again.close());
    const second = noticed(5);
    const writing = setInterval(() => again.receive({ from: PERSON, text: 'again' }), 100);
    await second;
    clearInterval(writing);
  });

  test('survive that chat.db, -wal and -shm are deleted and created again', async () => {
    const { path, writer, chatDb, watcher } = real({ tickMs: 600_000, forcedMs: 600_000 });
    watcher.start();
    writer.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    const noticed = untilLook(watcher, () => chatDb.highestRowId() === 2);
    const again = new ChatDbWriter(path, { version: 26 });
    onTestFinished(() => again.close());
    const first = setInterval(() => again.writeSent({ handle: PERSON, text: 'x' }), 300);
    const second = again.writeSent({ handle: PERSON, text: 'y' });
    expect(second.rowId).toBe(1);
    await noticed;
    clearInterval(first);
  });
});

describe('without file events', () => {
  test('a directory that is replaced is watched again at the next forced look', async () => {
    const { directory, path, writer, watcher } = real({ tickMs: 5, forcedMs: 20 });
    watcher.start();
    writer.receive({ from: PERSON, text: 'seen' });
    await untilLook(watcher, () => watcher.hasEvents());
    writer.close();
    renameSync(directory, `${directory} old`);
    await untilLook(watcher, () => !watcher.hasEvents());
    mkdirSync(directory);
    await untilLook(watcher, () => {
      writeFileSync(`${path}-journal`, '');
      return watcher.hasEvents();
    });
  });
});

describe('by the timer', () => {
  function faked(changed: () => boolean) {
    const clock = new FakeClock();
    const log = new RecordingLog();
    const path = join(temporaryDirectory(), 'none', 'chat.db');
    const watcher = new ChatDbWatcher({ chatDb: { path, changed }, clock, log });
    onTestFinished(() => watcher.stop());
    let looks = 0;
    watcher.onLook(() => {
      looks++;
    });
    return { clock, log, watcher, looks: () => looks };
  }

  test('each tick checks, but listeners are called for a change only, and every 5 s in any case', () => {
    let asked = 0;
    let change = false;
    const { clock, watcher, looks } = faked(() => {
      asked++;
      return change;
    });
    watcher.start();
    expect(looks()).toBe(1);
    clock.advance(4800);
    expect(asked).toBe(1 + 24);
    expect(looks()).toBe(1);
    clock.advance(200);
    expect(looks()).toBe(2);
    change = true;
    clock.advance(200);
    expect(looks()).toBe(3);
  });

  test('a listener that throws does not keep the others from looking, nor the next look', () => {
    const { clock, log, watcher, looks } = faked(() => true);
    watcher.onLook(() => {
      throw new Error('mine');
    });
    let after = 0;
    watcher.onLook(() => {
      after++;
    });
    watcher.start();
    clock.advance(400);
    expect([looks(), after]).toEqual([3, 3]);
    expect(log.lines.every((line) => line.startsWith('ERROR'))).toBe(true);
  });

  test('a chat.db that cannot be accessed does not stop the ticking', () => {
    let broken = true;
    const { clock, watcher, looks } = faked(() => {
      if (broken) throw new Error('broken');
      return true;
    });
    watcher.start();
    clock.advance(1000);
    broken = false;
    clock.advance(200);
    expect(looks()).toBe(1);
  });

  test('after stop nothing is called and no timer is left', () => {
    const { clock, watcher, looks } = faked(() => true);
    watcher.start();
    watcher.stop();
    watcher.stop();
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    expect(looks()).toBe(1);
  });

  test('a listener that leaves, or stops the watcher, is not called again', () => {
    const { clock, watcher } = faked(() => true);
    let calls = 0;
    const leave = watcher.onLook(() => {
      calls++;
      leave();
    });
    watcher.start();
    clock.advance(1000);
    expect(calls).toBe(1);
    watcher.onLook(() => watcher.stop());
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });
});

describe('the tick', () => {
  /** A chat.db that changes on demand, and events that come on demand. */
  function calm() {
    const clock = new FakeClock();
    const path = join(temporaryDirectory(), 'chat.db');
    writeFileSync(path, '');
    const world = { isChanged: false, looks: 0, event: (): void => undefined };
    const watcher = new ChatDbWatcher({
      chatDb: {
        path,
        changed: () => {
          world.looks += 1;
          const { isChanged } = world;
          world.isChanged = false;
          return isChanged;
        },
      },
      clock,
      log: new RecordingLog(),
      watchPath: (watched, onEvent) => {
        if (watched !== path) world.event = () => onEvent('change', 'chat.db-wal');
        return watch(watched, { encoding: 'utf8' }, () => undefined);
      },
    });
    onTestFinished(() => watcher.stop());
    watcher.start();
    const change = (hasEvent: boolean) => {
      world.isChanged = true;
      if (hasEvent) world.event();
    };
    const looksIn = (ms: number) => {
      const before = world.looks;
      clock.advance(ms);
      return world.looks - before;
    };
    return { clock, world, change, looksIn };
  }

  test('is fast until an event has reported a change, and slow from then on', () => {
    const { change, looksIn } = calm();
    expect(looksIn(10_000)).toBe(50);
    change(true);
    looksIn(5_000);
    expect(looksIn(20_000)).toBeLessThanOrEqual(11);
  });

  test('is fast again once a change came without an event, and the change after it waits for one fast tick at most', () => {
    const { world, change, looksIn } = calm();
    change(true);
    looksIn(5_000);
    change(false);
    looksIn(3_000);
    expect(world.isChanged).toBe(false);
    expect(looksIn(10_000)).toBe(50);
    change(false);
    looksIn(200);
    expect(world.isChanged).toBe(false);
    // One event is not enough any more.
    change(true);
    looksIn(5_000);
    expect(looksIn(10_000)).toBe(50);
    change(true);
    looksIn(5_000);
    expect(looksIn(20_000)).toBeLessThanOrEqual(11);
  });

  test('is not made fast by a change that is found just before its event comes', () => {
    const { world, change, looksIn } = calm();
    change(true);
    looksIn(5_000);
    change(false);
    while (world.isChanged) looksIn(10);
    world.event();
    looksIn(5_000);
    expect(looksIn(20_000)).toBeLessThanOrEqual(11);
  });

  test('is not waited for by a change whose event came long before it could be read', () => {
    const { world, looksIn } = calm();
    world.event();
    world.isChanged = true;
    looksIn(5_000);
    world.event();
    looksIn(700);
    world.isChanged = true;
    looksIn(550);
    expect(world.isChanged).toBe(false);
  });

  test('is not waited for by a commit of many writes, and each of their events costs no look', () => {
    const { world, looksIn } = calm();
    const before = world.looks;
    for (let write = 0; write < 100; write++) world.event();
    expect(world.looks - before).toBe(1);
    world.isChanged = true;
    looksIn(1);
    expect(world.isChanged).toBe(false);
  });
});
