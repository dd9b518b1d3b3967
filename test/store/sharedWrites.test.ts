import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

/** A store, with what is on the disk of the facts that are written into it. */
function watched() {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  const stored = () => {
    const other = openDatabase(join(directory, 'edge-agent.db'), { readonly: true });
    const facts = other.prepare("SELECT key FROM meta WHERE key LIKE 'fact%' ORDER BY key").pluck().all();
    other.close();
    return facts;
  };
  const told: string[] = [];
  const share = (key: string, take = () => undefined) =>
    store.share({
      take: () => {
        store.meta.set(key, '');
        take();
      },
      ended: ({ kind }) => void told.push(`${key} ${kind}`),
    });
  return { store, stored, told, share };
}

test('the shared writes of one look are one commit at its end, and announced then', () => {
  const { store, stored, told, share } = watched();
  const seen: unknown[] = [];
  store.together(() => {
    share('fact1');
    share('fact2', () => void seen.push(store.meta.get('fact1'), stored()));
    seen.push(stored(), [...told]);
  });
  expect(seen).toEqual([[], [], '', []]);
  expect(stored()).toEqual(['fact1', 'fact2']);
  expect(told).toEqual(['fact1 stored', 'fact2 stored']);
});

test('outside of a look they are stored at once', () => {
  const { stored, told, share } = watched();
  share('fact1');
  expect([stored(), told]).toEqual([['fact1'], ['fact1 stored']]);
});

test('a write of another kind comes after the shared ones before it', () => {
  const { store, stored, share } = watched();
  store.together(() => {
    share('fact1');
    store.write(() => expect(stored()).toEqual(['fact1']));
    share('fact2');
  });
  expect(stored()).toEqual(['fact1', 'fact2']);
});

test('one that throws affects no other one', () => {
  const { store, stored, told, share } = watched();
  store.together(() => {
    share('fact1');
    share('fact2', () => {
      throw new TypeError('a mistake');
    });
    share('fact3');
  });
  expect(stored()).toEqual(['fact1', 'fact3']);
  expect(told).toEqual(['fact1 stored', 'fact2 failed', 'fact3 stored']);
});

test('an error after the commit does not repeat it', () => {
  const { store, stored, told, share } = watched();
  let times = 0;
  const look = () =>
    store.together(() => {
      share('fact1', () => {
        times += 1;
        store.afterCommit(() => {
          throw new TypeError('a mistake');
        });
      });
      share('fact2');
    });
  look();
  expect([times, stored()]).toEqual([1, ['fact1', 'fact2']]);
  expect(told).toEqual(['fact1 stored', 'fact2 stored']);
});

test('whatever throws in a look, all others are announced, and the next look shares as before', () => {
  const { store, stored, told, share } = watched();
  const look = () =>
    store.together(() => {
      store.share({
        take: () => store.meta.set('fact1', ''),
        ended() {
          share('fact2');
          throw new TypeError('a mistake');
        },
      });
      share('fact3');
      throw new TypeError('another one');
    });
  expect(look).toThrow('another one');
  expect(told).toEqual(['fact3 stored', 'fact2 stored']);
  store.together(() => {
    share('fact4');
    expect(stored()).toEqual(['fact1', 'fact2', 'fact3']);
  });
  expect(stored()).toEqual(['fact1', 'fact2', 'fact3', 'fact4']);
});

test('one that throws because of others in its commit is stored without them', () => {
  const { store, stored, told, share } = watched();
  let isOdd = true;
  const claim = () => {
    if (!isOdd) return;
    isOdd = false;
    throw new TypeError('a mistake');
  };
  share('fact1', () => void store.beforeCommit(claim));
  expect([stored(), told]).toEqual([['fact1'], ['fact1 stored']]);
});

test('where each has its own, the follow-up of one comes after the others', () => {
  const { store, told, share } = watched();
  store.together(() => {
    share('fact1', () => void store.afterCommit(() => share('fact4')));
    share('fact2', () => {
      throw new TypeError('a mistake');
    });
    share('fact3');
  });
  expect(told).toEqual(['fact1 stored', 'fact2 failed', 'fact3 stored', 'fact4 stored']);
});

test('single writes are one commit at the end of their turn, and nothing overtakes them', () => {
  const { store, stored, told, share } = watched();
  const ends: (() => void)[] = [];
  const one = (key: string) => {
    store.togetherUntil((end) => ends.push(end));
    share(key);
  };
  for (const key of ['fact1', 'fact2']) one(key);
  expect([ends.length, stored()]).toEqual([1, []]);
  store.write(() => expect(stored()).toEqual(['fact1', 'fact2']));
  one('fact3');
  ends[0]?.();
  one('fact4');
  expect([ends.length, stored()]).toEqual([2, ['fact1', 'fact2', 'fact3']]);
  ends[1]?.();
  expect(told).toEqual(['fact1 stored', 'fact2 stored', 'fact3 stored', 'fact4 stored']);
});

test('in another write they belong to that, and are announced with its commit', () => {
  const { store, stored, told, share } = watched();
  store.write(() => {
    share('fact1');
    expect([stored(), told]).toEqual([[], []]);
  });
  expect([stored(), told]).toEqual([['fact1'], ['fact1 stored']]);
});

test('a disk that accepts nothing refuses all of them', () => {
  const { store, told, share } = watched();
  store.close();
  store.together(() => share('fact1'));
  expect(told).toEqual(['fact1 refused']);
});
