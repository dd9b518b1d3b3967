import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

/** A store that is opened repeatedly as by a process that crashes: it is never closed cleanly. */
function lives() {
  const path = join(temporaryDirectory(), 'store.db');
  const clock = new FakeClock();
  const log = new RecordingLog();
  return {
    clock,
    start: () => Store.open(path, { clock, log }),
    die(store: Store) {
      (store as unknown as { database: { close(): void } }).database.close();
    },
  };
}

/** Work in which the process crashes: nothing after it happens. */
class Death extends Error {}

function dieIn({ start, die }: ReturnType<typeof lives>, key: string): 'died' | 'set aside' {
  const store = start();
  const { database } = store as unknown as { database: { close(): void } };
  try {
    const worked = store.setAside.attempt('row', key, () => {
      database.close();
      throw new Death();
    });
    die(store);
    return worked.kind === 'failed' && !(worked.error instanceof Death) ? 'set aside' : 'died';
  } catch {
    return 'died';
  }
}

describe('an item that ends the agent', () => {
  test('is tried in three starts that watch for it, and then no more', () => {
    const world = lives();
    world.die(world.start());
    expect([1, 2, 3, 4].map(() => dieIn(world, 'poison'))).toEqual(['died', 'died', 'died', 'set aside']);
  });

  test('is worked on without a note while the disk is full, which ends nothing', () => {
    const world = lives();
    world.die(world.start());
    const store = world.start();
    expect(store.setAside.isWatching).toBe(true);
    const { database } = store as unknown as {
      database: { pragma(sql: string, options?: object): unknown };
    };
    const pages = database.pragma('page_count', { simple: true });
    database.pragma(`max_page_count = ${pages}`);
    let size = 4096;
    let count = 0;
    while (size > 0) {
      const filled = store.tryWrite(() => store.meta.set(`filler ${count++}`, 'x'.repeat(size)));
      if (!filled) size = Math.floor(size / 2);
    }
    const key = 'k'.repeat(4096);
    expect(store.setAside.attempt('scheduled', key, () => 'worked on')).toEqual({
      kind: 'done',
      value: 'worked on',
    });
    database.pragma(`max_page_count = ${Number(pages) + 100}`);
    expect(store.setAside.attempt('scheduled', key, () => 'again')).toEqual({ kind: 'done', value: 'again' });
    store.close();
  });

  test('is identified exactly: crashes at others do not count for it', () => {
    const world = lives();
    world.die(world.start());
    for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) expect(dieIn(world, key)).toBe('died');
    const store = world.start();
    expect(store.setAside.attempt('row', 'd', () => 'fine')).toEqual({ kind: 'done', value: 'fine' });
    world.die(store);
  });

  test('that succeeds once starts again at zero', () => {
    const world = lives();
    world.die(world.start());
    for (let round = 0; round < 3; round += 1) {
      expect(dieIn(world, 'slow')).toBe('died');
      expect(dieIn(world, 'slow')).toBe('died');
      const store = world.start();
      expect(store.setAside.attempt('row', 'slow', () => 1)).toMatchObject({ kind: 'done' });
      world.die(store);
    }
  });
});

test('a part of the work that succeeds does not hide a later one that ends the agent', () => {
  const world = lives();
  world.die(world.start());
  const ends = [1, 2, 3, 4].map(() => {
    const store = world.start();
    store.setAside.attempt('row', 'poison', () => 'read', 'part');
    world.die(store);
    return dieIn(world, 'poison');
  });
  expect(ends).toEqual(['died', 'died', 'died', 'set aside']);
});

test('after a clean stop nothing is recorded before the work', () => {
  const world = lives();
  world.start().close();
  const store = world.start();
  expect(store.setAside.isWatching).toBe(false);
  store.close();
});

test('a look into the store while no agent runs hides no unclean stop, nor invents one', () => {
  const world = lives();
  const died = world.start();
  world.die(died);
  world.start().leave();
  const after = world.start();
  expect(after.setAside.isWatching).toBe(true);
  after.close();
  world.start().leave();
  const next = world.start();
  expect(next.setAside.isWatching).toBe(false);
  next.close();
});

test('what was set aside is shown for a day', () => {
  const world = lives();
  const store = world.start();
  store.write(() => store.setAside.note('message', 'guid', 'too odd'));
  expect(store.setAside.recent(10)).toMatchObject([{ kind: 'message', key: 'guid', error: 'too odd' }]);
  world.clock.advance(25 * 3_600_000);
  expect(store.setAside.recent(10)).toEqual([]);
  store.close();
});
