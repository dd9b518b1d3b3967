import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Continuity, sharedPlaces } from '../../src/daemon/Continuity.js';
import { ALIVE_AT } from '../../src/daemon/Downtime.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import type { Store } from '../../src/store/Store.js';
import { marksOf, Witness } from '../../src/store/Witness.js';
import { FakeClock } from '../support/FakeClock.js';
import { queuedText } from '../support/queuedText.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { openTestStore, temporaryDirectory } from '../support/temporaryStore.js';

const INSTALLED_AT = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** A Mac with one state directory, on which agents begin and end. */
class Mac {
  readonly clock = new FakeClock(INSTALLED_AT);
  readonly log = new RecordingLog();
  readonly directory = join(temporaryDirectory(), 'state');
  readonly storePath = join(this.directory, '..', 'edge-agent.db');
  readonly home = temporaryDirectory();

  /** An agent is at work until `work` ends, and is stopped in order; `atEnd`: right before that. */
  run<T>(work: (store: Store, continuity: Continuity) => T, atEnd?: (store: Store) => void): T {
    const { clock, log, directory, storePath } = this;
    const places = sharedPlaces(join(this.home, 'chat.db'), this.home);
    const continuity = Continuity.open({ places, directory, storePath, clock, log });
    const store = openTestStore(storePath, { clock, log });
    try {
      continuity.begin(store);
      const result = work(store, continuity);
      store.write(() => {
        store.meta.set(ALIVE_AT, String(clock.now()));
        store.lineage.advance();
      });
      atEnd?.(store);
      return result;
    } finally {
      store.close();
      continuity.close();
    }
  }
}

describe('the gap of a store that is put back months after the first start', () => {
  test.each([
    ['that read chat.db at once', true],
    ['that could not read chat.db at first', false],
  ])('%s begins when the copy was made, not before all time', (_, canRead) => {
    const mac = new Mac();
    const read = (store: Store) =>
      store.write(() => store.cursor.set({ generation: 'g', rowId: 5, guid: 'row-5' }));
    mac.run((store) => {
      expect(store.lineage.gap()?.reason).toBe('new');
      if (canRead) read(store);
    });
    mac.clock.advance(90 * DAY_MS);
    mac.run(read);
    const copiedAt = mac.clock.now();
    cpSync(mac.storePath, `${mac.storePath}.copy`);
    mac.clock.advance(DAY_MS);
    mac.run(() => undefined);
    rmSync(mac.storePath);
    cpSync(`${mac.storePath}.copy`, mac.storePath);
    const gap = mac.run((store) => store.lineage.gap());
    expect(gap).toMatchObject({ reason: 'older', from: copiedAt, generation: 'g', afterRow: 5 });
  });
});

test('a store that is put back is recognised where the witness was removed while the agent was at work', () => {
  const mac = new Mac();
  mac.run(() => undefined);
  cpSync(mac.storePath, `${mac.storePath}.copy`);
  mac.run((store) => {
    rmSync(join(mac.home, '.edge-agent'), { recursive: true });
    store.write(() => store.lineage.advance());
  });
  // Over the file that is there: nothing but the witness tells.
  cpSync(`${mac.storePath}.copy`, mac.storePath);
  expect(mac.run((store) => store.lineage.gap()?.reason)).toBe('older');
});

describe('where the lock on chat.db is removed while the agent is at work', () => {
  const lockOf = (mac: Mac) => sharedPlaces(join(mac.home, 'chat.db'), mac.home).lock;

  test('it is taken again before anything else is done, with its directory', () => {
    const mac = new Mac();
    mac.run((store) => {
      rmSync(join(mac.home, '.edge-agent'), { recursive: true });
      store.write(() => store.lineage.advance());
      expect(() => InstanceLock.acquire(lockOf(mac))).toThrow(
        expect.objectContaining({ code: 'already_running' }),
      );
    });
    InstanceLock.acquire(lockOf(mac)).release();
  });

  test('and cannot be taken again, that is told once, and the agent goes on', () => {
    const mac = new Mac();
    mac.run((store) => {
      rmSync(lockOf(mac));
      mkdirSync(lockOf(mac));
      for (const _ of [1, 2, 3]) store.write(() => store.lineage.advance());
    });
    expect(mac.log.lines.filter((line) => line.includes('cannot be taken again'))).toHaveLength(1);
  });

  test('and is put back where it could not be taken again, that is no fault any more', () => {
    const mac = new Mac();
    const lock = lockOf(mac);
    mac.run((store, continuity) => {
      renameSync(lock, `${lock}.old`);
      mkdirSync(lock);
      store.write(() => store.lineage.advance());
      expect(continuity.faults()).toMatchObject([
        {
          code: 'witness_unwritable',
          message: expect.stringContaining(`${lock} was removed and cannot be created`),
        },
      ]);
      rmSync(lock, { recursive: true });
      renameSync(`${lock}.old`, lock);
      store.write(() => store.lineage.advance());
      expect(continuity.faults()).toEqual([]);
    });
  });

  test('and another agent has taken it, nothing is stored any more, and so nothing sent', () => {
    const mac = new Mac();
    const lost: string[] = [];
    let faster: InstanceLock | undefined;
    mac.run(
      () => undefined,
      (store) => {
        store.onMoved((how) => lost.push(how));
        faster = InstanceLock.acquire(`${lockOf(mac)}.new`);
        renameSync(`${lockOf(mac)}.new`, lockOf(mac));
        expect(store.tryWrite(() => store.lineage.advance())).toBe(false);
      },
    );
    faster?.release();
    expect(lost).toEqual(['taken']);
  });

  test('and another agent had it in between, nothing is stored any more either: what that one did is not known', () => {
    const mac = new Mac();
    mac.run(
      () => undefined,
      (store) => {
        const faster = InstanceLock.acquire(`${lockOf(mac)}.new`);
        renameSync(`${lockOf(mac)}.new`, lockOf(mac));
        expect(store.tryWrite(() => store.lineage.advance())).toBe(false);
        faster.release();
        expect(store.tryWrite(() => store.lineage.advance())).toBe(false);
        rmSync(lockOf(mac));
        expect(store.tryWrite(() => store.lineage.advance())).toBe(false);
      },
    );
    expect(() => mac.run(() => undefined)).not.toThrow();
  });
});

test('the latest time that the clock showed in the gap is known, though it was set back since', () => {
  const mac = new Mac();
  mac.run(() => undefined);
  cpSync(mac.storePath, `${mac.storePath}.copy`);
  const shownUntil = INSTALLED_AT + 90_000;
  mac.run((store) => {
    mac.clock.jumpWall(90_000);
    store.write(() => store.lineage.advance());
    mac.clock.jumpWall(-90_000);
  });
  mac.run(() => undefined);
  cpSync(`${mac.storePath}.copy`, mac.storePath);
  expect(mac.run((store) => store.lineage.gap())).toMatchObject({ reason: 'older', shownUntil });
});

describe('by what clock the forgotten agents sent', () => {
  const copy = (mac: Mac) => cpSync(mac.storePath, `${mac.storePath}.copy`);
  const restore = (mac: Mac) => cpSync(`${mac.storePath}.copy`, mac.storePath);
  /** An agent is at work while the clock is so far behind the backend's; undefined: it never learns that. */
  const work = (mac: Mac, ...behind: (number | undefined)[]) =>
    mac.run((store) => {
      for (const ms of behind) {
        store.lineage.useBackendTime(() => (ms === undefined ? null : { ms, isCertain: true }));
        const seq =
          store.sends.add(queuedText({ id: String(ms), conversation: 'ann', text: 'ok' }))?.seq ?? 0;
        store.write(() => {
          store.sends.begin(seq, { tag: String(ms), generation: 'g', afterRow: 0 });
          store.lineage.beginAttempt();
        });
        store.write(() => store.sends.settle(seq, { state: 'sent', guid: `row ${ms}` }));
      }
    });
  const clockFound = (mac: Mac) => mac.run((store) => store.lineage.gap()?.clock);

  test.each([
    ['one clock, whatever it showed before the copy', [-3_600_000, 0], [[0]], [0], true],
    ['a clock that was set meanwhile', [0], [[90_000, 0]], [0, 90_000], true],
    ['several agents', [0], [[0], [-30_000]], [-30_000, 0], true],
    ['an agent that sent without knowing the time', [0], [[undefined]], [], false],
  ] as const)('is known after a restore: %s', (_, before, since, behindMs, isWhole) => {
    const mac = new Mac();
    work(mac, ...before);
    copy(mac);
    for (const one of since) work(mac, ...one);
    restore(mac);
    expect(clockFound(mac)).toEqual({ behindMs, isWhole });
  });

  test('is that of all gaps after several restores, and of no agent that the copy knows', () => {
    const mac = new Mac();
    work(mac, 0);
    copy(mac);
    work(mac, 90_000);
    restore(mac);
    work(mac, -30_000);
    copy(mac);
    work(mac, 0);
    restore(mac);
    expect(clockFound(mac)).toEqual({ behindMs: [0, 90_000], isWhole: true });
  });

  test('is also that before the backend was reached, where the clock was set meanwhile', () => {
    const mac = new Mac();
    work(mac, 0);
    copy(mac);
    mac.run((store) => {
      store.write(() => store.lineage.advance());
      mac.clock.advance(60_000);
      mac.clock.jumpWall(2 * HOUR_MS);
      store.lineage.useBackendTime(() => ({ ms: 0, isCertain: true }));
      store.write(() => store.lineage.advance());
    });
    restore(mac);
    expect(clockFound(mac)).toEqual({ behindMs: [0, 2 * HOUR_MS], isWhole: true });
  });

  test('is also that of another store that was in use, however often this one is put back', () => {
    const mac = new Mac();
    work(mac, 0);
    copy(mac);
    rmSync(mac.storePath);
    work(mac, 90_000);
    restore(mac);
    work(mac, 0);
    restore(mac);
    const gap = mac.run((store) => store.lineage.gap());
    expect(gap).toMatchObject({ reason: 'replaced', clock: { behindMs: [0, 90_000], isWhole: false } });
  });
});

describe('the texts that an agent had begun to send when it was killed', () => {
  const text = (words: string) => queuedText({ id: words, conversation: 'ann', text: words });
  /** Begins one, and is killed. */
  const killedWith = (mac: Mac, words: string) =>
    mac.run((store) => {
      store.write(() => {
        const send = store.sends.add(text(words));
        store.sends.begin(send?.seq ?? 0, { tag: words, generation: 'g', afterRow: 0 });
        store.lineage.advance();
      });
    });
  const isBegun = (mac: Mac, words: string) =>
    mac.run((store) => store.lineage.isBegun({ conversation: 'ann', text: words, file: null }));
  const restore = (mac: Mac) => {
    rmSync(mac.storePath);
    cpSync(`${mac.storePath}.copy`, mac.storePath);
  };

  test('are known to each copy that is put back, once or twice, and no other text is', () => {
    const mac = new Mac();
    mac.run(() => undefined);
    cpSync(mac.storePath, `${mac.storePath}.copy`);
    killedWith(mac, 'once');
    for (const _ of [1, 2]) {
      restore(mac);
      expect(isBegun(mac, 'once')).toBe(true);
      expect(isBegun(mac, 'another')).toBe(false);
    }
  });

  test('are one each, where the copy has them as just being made and its agent was killed before it could settle them', () => {
    const mac = new Mac();
    const attempt = { conversation: 'ann', text: 'once', file: null, tag: 'once' };
    mac.run(() => undefined);
    killedWith(mac, 'once');
    cpSync(mac.storePath, `${mac.storePath}.copy`);
    mac.run(() => undefined);
    for (const _ of [1, 2]) {
      restore(mac);
      mac.clock.advance(DAY_MS);
      expect(isBegun(mac, 'once')).toBe(true);
    }
    mac.run((store) => store.write(() => store.lineage.takeUpAttempt(attempt)));
    expect(isBegun(mac, 'once')).toBe(false);
  });

  test('are recorded before they go out, whatever else is stored in the same write', () => {
    const mac = new Mac();
    const seen: (number | undefined)[] = [];
    const marks = () => {
      const witness = Witness.open(sharedPlaces(join(mac.home, 'chat.db'), mac.home).witness);
      seen.push(witness.read()?.begun.length);
      witness.close();
    };
    mac.run((store) =>
      store.write(() => {
        const send = store.sends.add(text('once'));
        store.sends.begin(send?.seq ?? 0, { tag: 'once', generation: 'g', afterRow: 0 });
        store.lineage.beginAttempt();
        store.afterCommit(marks);
        store.lineage.advance();
      }),
    );
    expect(seen).toEqual([1]);
  });

  test('are no longer recorded once the retention has forgotten them', () => {
    const mac = new Mac();
    killedWith(mac, 'once');
    mac.run(giveUp);
    mac.clock.advance(8 * DAY_MS);
    const marksIn = () => {
      const witness = Witness.open(sharedPlaces(join(mac.home, 'chat.db'), mac.home).witness);
      const { begun } = witness.read() ?? {};
      witness.close();
      return begun;
    };
    mac.run((store) => {
      expect(marksIn()).toHaveLength(1);
      store.write(() => {
        const ended = mac.clock.now() - 7 * DAY_MS;
        store.prune({ ended, commands: ended, limit: 100 });
        store.lineage.advance();
      });
      expect(marksIn()).toEqual([]);
    });
  });

  /** It is not known of any whether it went out, and nobody looks for their rows any more. */
  const giveUp = (store: Store) =>
    store.write(() => {
      for (const { seq } of store.sends.attempting()) store.sends.settle(seq, { state: 'unknown' });
      store.lineage.advance();
    });

  test('are known still when they were told as unknown long ago, but to a copy that has them as unknown', () => {
    const mac = new Mac();
    mac.run(() => undefined);
    cpSync(mac.storePath, `${mac.storePath}.copy`);
    killedWith(mac, 'once');
    mac.run(giveUp);
    restore(mac);
    expect(isBegun(mac, 'once')).toBe(true);
    mac.run(() => undefined);
    restore(mac);
    expect(isBegun(mac, 'once')).toBe(true);
    const other = new Mac();
    killedWith(other, 'known');
    other.run(giveUp);
    cpSync(other.storePath, `${other.storePath}.copy`);
    killedWith(other, 'later');
    other.run(giveUp);
    restore(other);
    expect(['known', 'later'].map((words) => isBegun(other, words))).toEqual([false, true]);
  });

  test('are no longer under way once they have ended', () => {
    const mac = new Mac();
    mac.run(() => undefined);
    cpSync(mac.storePath, `${mac.storePath}.copy`);
    killedWith(mac, 'once');
    mac.run((store) =>
      store.write(() => {
        for (const { seq } of store.sends.attempting())
          store.sends.settle(seq, { state: 'sent', guid: 'row-1' });
      }),
    );
    restore(mac);
    expect(isBegun(mac, 'once')).toBe(false);
  });
});

describe('of the messages that were answered since a copy was made', () => {
  const [before, after, other] = [1, 2, 3].map((n) => ({ guid: `guid-${n}`, sentAt: INSTALLED_AT + n }));
  const answer = (mac: Mac, ...messages: (typeof before)[]) =>
    mac.run((store) => {
      for (const message of messages)
        store.write(() => {
          store.lineage.advance();
          store.lineage.beginAnswer(message);
        });
    });
  const copy = (mac: Mac, name = 'copy') => cpSync(mac.storePath, `${mac.storePath}.${name}`);
  const putBack = (mac: Mac, name = 'copy') => {
    rmSync(mac.storePath);
    cpSync(`${mac.storePath}.${name}`, mac.storePath);
  };
  const asked = [before, after, other];
  const mayBeAnswered = (mac: Mac) =>
    mac.run((store) =>
      asked.map((message) => message !== undefined && store.lineage.mayBeAnswered(message, 1)),
    );

  test('the restored store knows each, and that no other one was', () => {
    const mac = new Mac();
    answer(mac, before);
    copy(mac);
    answer(mac, after);
    putBack(mac);
    expect(mayBeAnswered(mac).slice(1)).toEqual([true, false]);
  });

  test('none is forgotten by another restore, of a copy from before the first or after it', () => {
    for (const name of ['copy', 'second']) {
      const mac = new Mac();
      answer(mac);
      copy(mac);
      answer(mac, before);
      putBack(mac);
      answer(mac);
      copy(mac, 'second');
      answer(mac, after);
      putBack(mac, name);
      expect(mayBeAnswered(mac), name).toEqual([true, true, false]);
    }
  });

  test.each([
    [
      'where the copy is older than what is recorded',
      (mac: Mac) => {
        answer(mac, ...Array.from({ length: 200 }, (_, n) => ({ guid: `more ${n}`, sentAt: n })));
      },
    ],
    ['where the message of a text is not known any more', (mac: Mac) => answer(mac, undefined)],
    [
      'where an agent was at work meanwhile that does not record it',
      (mac: Mac) => {
        const { witness: path } = sharedPlaces(join(mac.home, 'chat.db'), mac.home);
        const witness = Witness.open(path);
        const { answered: _, ...record } = witness.read() ?? {};
        witness.write(
          { store: '', aliveAt: 0, directory: '', revisions: 0, counter: 0, begun: [], ...record },
          false,
        );
        witness.close();
      },
    ],
  ])('any may be one %s', (_, spoil) => {
    const mac = new Mac();
    answer(mac, before);
    copy(mac);
    spoil(mac);
    answer(mac, after);
    putBack(mac);
    expect(mayBeAnswered(mac)).toEqual([true, true, true]);
  });

  test('it is recorded before the text goes out, whatever else was stored with it', () => {
    const mac = new Mac();
    answer(mac);
    copy(mac);
    const seen: (boolean | undefined)[] = [];
    mac.run((store) =>
      store.write(() => {
        store.lineage.advance();
        store.lineage.beginAnswer(after);
        store.afterCommit(() => {
          const { witness: path } = sharedPlaces(join(mac.home, 'chat.db'), mac.home);
          const witness = Witness.open(path);
          seen.push(after && witness.read()?.answered?.newer.includes(marksOf(after)[0] ?? '?'));
          witness.close();
        });
        store.lineage.advance();
      }),
    );
    expect(seen).toEqual([true]);
  });
});

/** Bytes of the middle of the file are overwritten. */
function damage(path: string): void {
  const { size } = statSync(path);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(8192, 0xa5), 0, 8192, Math.floor(size / 2));
  closeSync(file);
}

test('a salvaged store has a gap, though the clock shows a time before the gap that was found last', () => {
  const mac = new Mac();
  mac.run((store) => store.write(() => store.cursor.set({ generation: 'g', rowId: 5, guid: 'row-5' })));
  mac.clock.advance(3 * DAY_MS);
  damage(mac.storePath);
  mac.clock.jumpWall(-5 * DAY_MS);
  const found = mac.run((store) => {
    expect(store.salvaged).toBeDefined();
    return store.lineage.gap();
  });
  expect(found).toMatchObject({ reason: 'rebuilt', until: mac.clock.now() });
  mac.clock.jumpWall(5 * DAY_MS);
  // It is found once.
  expect(mac.run((store) => store.lineage.gap())).toEqual(found);
});

test('the gap of a salvaged store ends with its first start, however often the agent crashes after it', () => {
  const mac = new Mac();
  mac.run((store) => store.write(() => store.cursor.set({ generation: 'g', rowId: 5, guid: 'row-5' })));
  damage(mac.storePath);
  mac.clock.advance(DAY_MS);
  const salvagedAt = mac.clock.now();
  const keep = () => {
    for (const suffix of ['', '-wal'])
      if (existsSync(mac.storePath + suffix))
        cpSync(mac.storePath + suffix, `${mac.storePath}.crash${suffix}`);
  };
  const crash = () => mac.run((store) => store.lineage.gap(), keep);
  for (const _ of ['salvaged', 'after a crash', 'after another one']) {
    expect(crash()).toMatchObject({ reason: 'rebuilt', until: salvagedAt });
    for (const suffix of ['', '-wal']) {
      rmSync(mac.storePath + suffix, { force: true });
      if (existsSync(`${mac.storePath}.crash${suffix}`))
        cpSync(`${mac.storePath}.crash${suffix}`, mac.storePath + suffix);
    }
    mac.clock.advance(DAY_MS);
  }
  const events = mac.run((store) => store.events.after(0, 100));
  expect(events.filter(({ eventType }) => eventType === 'state_restored')).toHaveLength(1);
});

test('one chat.db has one lock and one witness, by whatever links it is named, before and after it is there', () => {
  const home = temporaryDirectory();
  const messages = join(home, 'Messages');
  mkdirSync(messages);
  const chatDb = join(messages, 'chat.db');
  symlinkSync(messages, join(home, 'folder'));
  symlinkSync(chatDb, join(home, 'file'));
  const before = sharedPlaces(chatDb, home);
  writeFileSync(chatDb, '');
  for (const path of [chatDb, join(home, 'folder', 'chat.db'), join(home, 'file')])
    expect(sharedPlaces(path, home)).toEqual(before);
  expect(sharedPlaces(join(messages, 'other.db'), home)).not.toEqual(before);
});

test('a newer copy, put back after an older one that took the place of another store, is not taken for whole', () => {
  const mac = new Mac();
  const stores = new Map<string, string>();
  const copy = (name: string) => {
    stores.set(name, `${mac.storePath}.${name}`);
    cpSync(mac.storePath, `${mac.storePath}.${name}`);
  };
  const putBack = (name: string) => {
    rmSync(mac.storePath);
    cpSync(stores.get(name) ?? '', mac.storePath);
  };
  mac.run(() => undefined);
  copy('older');
  for (let nth = 0; nth < 3; nth++) mac.run(() => undefined);
  copy('newer');
  mac.run(() => undefined);
  rmSync(mac.storePath);
  // A fresh store is at work: nothing tells any more how far the first one had come.
  mac.run(() => undefined);
  putBack('older');
  expect(mac.run((store) => store.lineage.gap()?.reason)).toBe('replaced');
  putBack('newer');
  expect(mac.run((store) => store.lineage.gap()?.reason)).toBe('replaced');
});

test('a newer copy, put back after an older one that was salvaged without a witness, is not taken for whole', () => {
  const mac = new Mac();
  mac.run((store) => store.write(() => store.cursor.set({ generation: 'g', rowId: 5, guid: 'row-5' })));
  cpSync(mac.storePath, `${mac.storePath}.older`);
  mac.run((store) => {
    for (let nth = 0; nth < 20; nth++) store.write(() => store.lineage.advance());
  });
  cpSync(mac.storePath, `${mac.storePath}.newer`);
  cpSync(`${mac.storePath}.older`, mac.storePath);
  damage(mac.storePath);
  mac.clock.advance(DAY_MS);
  rmSync(join(mac.home, '.edge-agent'), { recursive: true });
  expect(mac.run((store) => store.lineage.gap()?.reason)).toBe('rebuilt');
  cpSync(`${mac.storePath}.newer`, mac.storePath);
  expect(mac.run((store) => store.lineage.gap()?.reason)).toBe('replaced');
});
