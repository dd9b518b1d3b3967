import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { PAGE_BYTES } from '../../src/store/salvage/pageBytesOf.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { openTestStore, temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const options = { clock: new FakeClock(), log: new RecordingLog() };

function damagePage(path: string, page: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0xff), 0, PAGE_BYTES, PAGE_BYTES * (page - 1));
  closeSync(file);
}

describe('the store', () => {
  test('is readable by its owner only', () => {
    const path = join(temporaryDirectory(), 'store.db');
    Store.open(path, options).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('keeps synchronous=FULL on the second open, where SQLite would fall back to NORMAL', async () => {
    const path = join(temporaryDirectory(), 'store.db');
    Store.open(path, options).close();
    const { openDurableDatabase } = await import('../../src/store/sqlite.js');
    const again = openDurableDatabase(path);
    expect(again.pragma('synchronous', { simple: true })).toBe(2);
    expect(again.pragma('journal_mode', { simple: true })).toBe('wal');
    again.close();
  });

  test('refuses a file of a newer version instead of guessing at it', () => {
    const path = join(temporaryDirectory(), 'store.db');
    Store.open(path, options).close();
    const database = openDatabase(path);
    database.pragma('user_version = 999');
    database.close();
    expect(() => Store.open(path, options)).toThrow(/newer edge-agent/);
  });

  test('is checked after an unclean stop only, and copied before a migration', () => {
    const path = join(temporaryDirectory(), 'store.db');
    Store.open(path, options).close();
    const database = openDatabase(path);
    expect(database.prepare("SELECT value FROM meta WHERE key = 'clean_stop'").pluck().get()).toBe('1');
    database.close();
  });
});

describe('a damaged store', () => {
  test('that is no database at all is set aside, with a loud report, and recreated', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'store.db');
    const nonsense = 'this is not a database, and long enough to be seen as none'.repeat(100);
    writeFileSync(path, nonsense);
    const log = new RecordingLog();
    const store = Store.open(path, { ...options, log });
    expect(store.rebuiltFrom).toBeDefined();
    expect(readFileSync(store.rebuiltFrom ?? '', 'utf8')).toBe(nonsense);
    expect(log.lines.join()).toMatch(/ERROR .*damaged.*set aside/);
    store.write(() => store.meta.set('works', 'yes'));
    store.close();
  });

  test('is found after a clean stop too, and never makes the agent fail at every start', () => {
    const path = join(temporaryDirectory(), 'store.db');
    const before = Store.open(path, options);
    before.write(() => before.meta.set('agent', 'edge_1'));
    before.close();
    for (const page of [3, 4, 5, 6, 7, 8]) damagePage(path, page);
    const after = Store.open(path, options);
    expect(after.rebuiltFrom).toBeDefined();
    after.write(() => after.meta.set('works', 'yes'));
    after.close();
  });

  test('that is found while running is reported once, accepts nothing more, and is set aside by the next start', () => {
    const path = join(temporaryDirectory(), 'store.db');
    const store = Store.open(path, options);
    let told = 0;
    store.onDamage(() => {
      told += 1;
    });
    const malformed = Object.assign(new Error('database disk image is malformed'), {
      code: 'SQLITE_CORRUPT',
    });
    for (let n = 0; n < 2; n++) {
      expect(
        store.tryWrite(() => {
          throw malformed;
        }),
      ).toBe(false);
    }
    expect(told).toBe(1);
    expect(store.fault()?.code).toBe('store_damaged');
    store.write(() => undefined);
    expect(store.fault()?.code).toBe('store_damaged');
    store.close();
    const raw = openDatabase(path);
    expect(raw.prepare("SELECT count(*) FROM meta WHERE key = 'clean_stop'").pluck().get()).toBe(0);
    raw.close();
  });

  test('is found after a crash, and what can still be read of it is kept', () => {
    const path = join(temporaryDirectory(), 'store.db');
    const before = Store.open(path, options);
    before.write(() => {
      for (let n = 0; n < 5000; n++) {
        before.commands.add({
          commandId: `c${n}`,
          commandType: 't',
          body: 'x'.repeat(200),
          bodyHash: 'h',
          via: 'http',
        });
      }
      before.meta.set('agent', 'edge_1');
    });
    before.close();
    const raw = openDatabase(path);
    raw.exec("DELETE FROM meta WHERE key = 'clean_stop'");
    raw.pragma('wal_checkpoint(TRUNCATE)');
    raw.close();
    damagePage(path, 201);
    const after = Store.open(path, options);
    expect(after.rebuiltFrom).toBeDefined();
    expect(after.meta.get('agent')).toBe('edge_1');
    expect(after.commands.find('c0')).toBeDefined();
    after.close();
  });
});

describe('a write', () => {
  test('that throws changes nothing and runs none of its after-commit work', () => {
    const store = temporaryStore(new FakeClock());
    let ran = false;
    expect(() =>
      store.write(() => {
        store.meta.set('a', '1');
        store.afterCommit(() => {
          ran = true;
        });
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(store.meta.get('a')).toBeUndefined();
    store.write(() => undefined);
    expect(ran).toBe(false);
  });

  test('joins the outer one, so that both are on the disk or neither', () => {
    const store = temporaryStore(new FakeClock());
    expect(() =>
      store.write(() => {
        store.write(() => store.meta.set('inner', '1'));
        throw new Error('no');
      }),
    ).toThrow();
    expect(store.meta.get('inner')).toBeUndefined();
  });

  test('runs its closing work once, inside the transaction, and its after-commit work outside', () => {
    const store = temporaryStore(new FakeClock());
    const order: string[] = [];
    const closing = () => {
      order.push('closing');
      store.meta.set('closed', 'yes');
    };
    store.write(() => {
      store.beforeCommit(closing);
      store.beforeCommit(closing);
      store.afterCommit(() => order.push('after'));
      order.push('work');
    });
    expect(order).toEqual(['work', 'closing', 'after']);
    expect(store.meta.get('closed')).toBe('yes');
  });

  test('is committed although a callback of it throws, and all other callbacks run', () => {
    const log = new RecordingLog();
    const store = openTestStore(join(temporaryDirectory(), 'edge-agent.db'), { clock: new FakeClock(), log });
    const order: string[] = [];
    const made = store.tryWrite(() => {
      store.meta.set('a', '1');
      store.afterCommit(() => {
        throw Object.assign(new Error('a read failed'), { code: 'SQLITE_IOERR_READ' });
      });
      store.afterCommit(() => order.push('next'));
    });
    expect([made, store.meta.get('a'), order]).toEqual([true, '1', ['next']]);
    expect(log.lines).toEqual(['ERROR What follows from a stored change failed']);
    store.close();
  });

  test('that the disk refuses is reported as a fault and clears when writes succeed again', () => {
    const store = temporaryStore(new FakeClock());
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    const refused = store.tryWrite(() => {
      store.meta.set('a', '1');
      throw full;
    });
    expect(refused).toBe(false);
    expect(store.fault()?.code).toBe('disk_full');
    expect(store.meta.get('a')).toBeUndefined();
    expect(store.tryWrite(() => store.meta.set('a', '1'))).toBe(true);
    expect(store.fault()).toBeUndefined();
  });

  test('leaves nothing in memory for the next one, though the disk could not be read just after it', () => {
    const store = temporaryStore(new FakeClock());
    const fault = (code: string) => Object.assign(new Error(code), { code });
    const reload = store.pauses.reload.bind(store.pauses);
    let failures = 2;
    store.pauses.reload = () => {
      failures -= 1;
      if (failures >= 0) throw fault('SQLITE_IOERR_READ');
      reload();
    };
    const refused = store.tryWrite(() => {
      store.pauses.set('+13105551234', 'manual');
      throw fault('SQLITE_FULL');
    });
    expect(refused).toBe(false);
    const seen: boolean[] = [];
    const look = () => store.tryWrite(() => void seen.push(store.pauses.get('+13105551234') !== undefined));
    expect([look(), look(), seen]).toEqual([false, true, [false]]);
  });

  test('that failed leaves conversations the names that are stored, also if the disk cannot be read right after it', () => {
    const store = temporaryStore(new FakeClock());
    store.write(() => store.aliases.add('chat2', 'chat1'));
    const fault = (code: string) => Object.assign(new Error(code), { code });
    store.tryWrite(() => {
      store.aliases.add('chat3', 'chat1');
      Object.assign(Reflect.get(store.aliases, 'select'), {
        all: () => {
          throw fault('SQLITE_IOERR_READ');
        },
      });
      throw fault('SQLITE_FULL');
    });
    expect(['chat2', 'chat3'].map((name) => store.aliases.resolve(name))).toEqual(['chat1', 'chat3']);
    expect(store.aliases.namesOf('chat1')).toEqual(['chat1', 'chat2']);
  });
});

test('a write that follows from a commit and fails takes nothing back of it', () => {
  const store = temporaryStore(new FakeClock());
  store.write(() => {
    store.afterCommit(() => {
      const refused = store.tryWrite(() => {
        throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
      });
      expect(refused).toBe(false);
    });
    store.aliases.add('chat2', 'chat1');
  });
  expect(store.aliases.resolve('chat2')).toBe('chat1');
});

describe('the acks', () => {
  test('are announced after the commit and kept in order until they are cleared', () => {
    const store = temporaryStore(new FakeClock());
    let announced = 0;
    store.acks.afterInsert(() => {
      announced += 1;
    });
    const ack = (revision: number) => ({
      command_id: 'c',
      status: 'completed' as const,
      success: true,
      error: null,
      completed_at: '',
      timestamp: '',
      revision,
    });
    store.write(() => {
      store.acks.add(ack(1));
      store.acks.add(ack(2));
      expect(announced).toBe(0);
    });
    expect(announced).toBeGreaterThan(0);
    const [first, second] = store.acks.after(0, 10);
    expect([first?.revision, second?.revision]).toEqual([1, 2]);
    store.acks.clear([first?.seq ?? 0]);
    expect(store.acks.after(0, 10).map(({ revision }) => revision)).toEqual([2]);
  });
});

test('the reports of a commit are sent after all other work that follows it, in order', () => {
  const store = temporaryStore(new FakeClock());
  const done: string[] = [];
  store.write(() => {
    store.report(() => done.push('told: received'));
    store.afterCommit(() => {
      store.report(() => done.push('told: begun'));
      store.write(() => {
        store.report(() => done.push('told: ended'));
        store.afterCommit(() => done.push('pruned'));
      });
      done.push('started');
    });
  });
  expect(done).toEqual(['pruned', 'started', 'told: received', 'told: begun', 'told: ended']);
  store.report(() => done.push('told at once'));
  expect(done.at(-1)).toBe('told at once');
});

test('nothing is reported for a write that is rolled back', () => {
  const store = temporaryStore(new FakeClock());
  const told: string[] = [];
  const fails = () =>
    store.write(() => {
      store.report(() => told.push('stored'));
      throw new Error('no');
    });
  expect(fails).toThrow('no');
  store.write(() => undefined);
  expect(told).toEqual([]);
});

test('the progress of the store is announced once a commit, before what hands a text to Messages', () => {
  const store = temporaryStore(new FakeClock());
  const done: unknown[] = [];
  store.lineage.onAdvanced((counter) => done.push(counter));
  store.write(() => {
    store.lineage.beginAttempt();
    store.afterCommit(() => done.push('osascript'));
    store.lineage.advance();
  });
  store.write(() => store.lineage.advance());
  expect(done).toEqual([2, 'osascript', 3]);
});
