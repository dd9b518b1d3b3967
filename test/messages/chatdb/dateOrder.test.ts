import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import type { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import { LONGEST_LOOK_MS } from '../../../src/store/cursor.js';
import type { Store } from '../../../src/store/Store.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { sized } from '../../support/size.js';
import { openTestStore } from '../../support/temporaryStore.js';
import { MessagesWorld, OTHER, PERSON } from './messagesWorld.js';

const HOUR = 3600_000;
const reversed = (rowIds: readonly number[]) => rowIds.toReversed();

/** An agent that read `first` and `second`, when a minute each had gone by. */
function started() {
  const world = new MessagesWorld();
  const store = world.newStore();
  const reader = world.reader(store);
  world.writer.rowCount();
  reader.scan();
  const say = (text: string, from = PERSON) => {
    world.clock.advance(60_000);
    return world.receive({ from, text });
  };
  const first = say('first');
  const second = say('second');
  reader.scan();
  expect(world.texts).toEqual(['first', 'second']);
  return { world, store, reader, say, first, second };
}

/** Puts a copy of chat.db, as it is or as `change` makes it, in the place of the file. */
function replaceFile(world: MessagesWorld, change: (writer: ChatDbWriter) => void = () => undefined): void {
  const path = join(world.directory, 'copy.db');
  const database = openDatabase(world.path);
  database.prepare('VACUUM INTO ?').run(path);
  database.close();
  const copy = new ChatDbWriter(path);
  change(copy);
  copy.close();
  world.closeWriter();
  for (const suffix of ['-wal', '-shm']) if (existsSync(world.path + suffix)) rmSync(world.path + suffix);
  renameSync(path, world.path);
  world.chatDb.changed();
}

describe('after ROWIDs were reassigned', () => {
  test.each([
    ['in place', (world: MessagesWorld) => world.writer.rewrites.rebuild(reversed)],
    [
      'in another file',
      (world: MessagesWorld) => replaceFile(world, (copy) => copy.rewrites.rebuild(reversed)),
    ],
  ])('%s, what is below the last known row and above it is read, in the order of its dates', (_, rebuild) => {
    const { world, reader, say } = started();
    say('third');
    say('fourth');
    say('fifth', OTHER);
    rebuild(world);
    reader.scan();
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
    say('sixth');
    reader.scan();
    expect(world.texts.at(-1)).toBe('sixth');
  });

  test('twice in a row, nothing is lost or repeated', () => {
    const { world, reader, say } = started();
    say('third');
    world.writer.rewrites.rebuild(reversed);
    world.writer.rewrites.rebuild((ids) => [...ids.slice(1), ...ids.slice(0, 1)]);
    reader.scan();
    say('fourth');
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'third', 'fourth']);
  });

  test('and with the last known row deleted by its reader', () => {
    const { world, reader, say, second } = started();
    say('third');
    world.writer.deleteMessage(second.rowId);
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'third']);
  });

  test('rows that appear below the highest ROWID are looked for once a minute, for an hour', () => {
    const { world, reader } = started();
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    let lowest = 0;
    const late = (text: string) => {
      world.clock.advance(60_000);
      lowest -= 1;
      return world.receive({ from: PERSON, text, columns: { ROWID: lowest } });
    };
    late('below');
    reader.scan();
    world.clock.advance(60_000);
    expect(world.texts.at(-1)).toBe('below');
    world.clock.advance(HOUR);
    late('much later');
    reader.scan();
    world.clock.advance(10 * 60_000);
    expect(world.texts.at(-1)).toBe('below');
  });

  test('rows are looked for over two days after a salvage, whatever moves the cursor, over restarts too', () => {
    const { world, store, reader } = started();
    const until = world.clock.now() + LONGEST_LOOK_MS;
    const state = store.cursor.reading();
    if (state === undefined) throw new Error('nothing was read');
    store.write(() => store.cursor.setReading({ ...state, caughtUp: false, lookUntil: until }));
    reader.scan();
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    world.clock.advance(24 * HOUR);
    reader.stop();
    const next = world.reader(store);
    next.scan();
    world.clock.advance(23 * HOUR);
    world.receive({ from: PERSON, text: 'from iCloud', columns: { ROWID: -1 } });
    world.clock.advance(60_000);
    expect(world.texts.at(-1)).toBe('from iCloud');
    world.clock.advance(2 * HOUR);
    expect(store.cursor.reading()?.lookUntil).toBeNull();
  });

  test('a message that waits for its text when the file changes is read when it comes', () => {
    const { world, reader } = started();
    const late = world.receive({ from: PERSON, text: 'slow', stages: ['row', 'chat'] });
    reader.scan();
    replaceFile(world, (copy) => copy.rewrites.rebuild(reversed));
    reader.scan();
    expect(world.texts).toEqual(['first', 'second']);
    const database = openDatabase(world.path);
    database.prepare("UPDATE message SET text = 'slow' WHERE guid = ?").run(late.guid);
    database.close();
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'slow']);
  });
});

describe('what the look by date ignores', () => {
  test('everything older than the first start ever', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    world.receive({ from: PERSON, text: 'before' });
    world.clock.advance(1000);
    const reader = world.reader(store);
    reader.scan();
    world.clock.advance(1000);
    world.receive({ from: PERSON, text: 'after' });
    reader.scan();
    replaceFile(world, (copy) => {
      copy.receive({ from: OTHER, text: 'older, from another Mac', date: world.clock.now() - 10 * 60_000 });
      copy.rewrites.rebuild(reversed);
    });
    reader.scan();
    expect(world.texts).toEqual(['after']);
  });

  test('what existed before the first start, though a clock that was behind would date new messages so too', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    world.receive({ from: PERSON, text: 'before' });
    world.clock.advance(1000);
    const reader = world.reader(store);
    reader.scan();
    world.clock.jumpWall(-HOUR);
    world.receive({ from: PERSON, text: 'by a clock that was behind' });
    world.clock.jumpWall(HOUR);
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    expect(world.texts).toEqual(['by a clock that was behind']);
  });

  test('what came within the day before the first start, where that is more than is remembered', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    for (let nth = 0; nth <= 2000; nth++) world.receive({ from: PERSON, text: `before ${nth}` });
    const reader = world.reader(store);
    world.clock.advance(1000);
    reader.scan();
    world.writer.rewrites.rebuild(reversed);
    reader.scan();
    world.clock.advance(HOUR);
    expect(world.texts).toEqual([]);
  });

  test('what is older than the window, to the millisecond', () => {
    const { world, reader } = started();
    world.maxAgeMs = 48 * HOUR;
    world.clock.advance(30 * HOUR);
    const now = world.clock.now();
    for (const [text, age] of [
      ['in it', 24 * HOUR],
      ['out of it', 24 * HOUR + 1],
    ] as const)
      world.receive({ from: PERSON, text, date: now - age });
    world.receive({ from: PERSON, text: 'now', date: now });
    replaceFile(world, (copy) => copy.rewrites.rebuild((ids) => [...ids.slice(2), ...ids.slice(0, 2)]));
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'in it', 'now']);
  });

  test.each([-400 * 24 * HOUR, 400 * 24 * HOUR])('a clock that is %d ms wrong hides nothing', (wrongBy) => {
    const { world, reader, say } = started();
    world.maxAgeMs = Number.POSITIVE_INFINITY;
    say('third');
    world.writer.rewrites.rebuild(reversed);
    world.clock.jumpWall(wrongBy);
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'third']);
  });
});

describe('a database that is an entirely different one', () => {
  test('is read by date from the first start on', () => {
    const { world, reader } = started();
    const path = join(world.directory, 'other.db');
    const other = new ChatDbWriter(path);
    other.receive({ from: OTHER, text: 'years ago', date: world.clock.now() - 3 * 365 * 24 * HOUR });
    other.receive({ from: OTHER, text: 'new to us', date: world.clock.now() });
    other.close();
    world.closeWriter();
    for (const suffix of ['-wal', '-shm']) if (existsSync(world.path + suffix)) rmSync(world.path + suffix);
    renameSync(path, world.path);
    world.chatDb.changed();
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'new to us']);
  });

  test('where iCloud wrote all messages under new guids, none of them is a new message', () => {
    const { world, reader, say, first, second } = started();
    say('third');
    for (const { guid } of [first, second]) world.writer.rewrites.rewrite(guid);
    for (const { rowId } of [first, second]) world.writer.deleteMessage(rowId);
    replaceFile(world, (copy) => copy.rewrites.rebuild(reversed));
    reader.scan();
    expect(world.texts).toEqual(['first', 'second', 'third']);
  });
});

type Step =
  | { kind: 'receive'; from: number; word: number; ns: number }
  | { kind: 'rewrite'; seed: number }
  | { kind: 'rebuild' | 'replace'; seed: number }
  | { kind: 'scan' }
  | { kind: 'kill'; commits: number; isDone: boolean };

const SEED = 20_261_129;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('receive' as const),
      from: fc.nat(1),
      word: fc.nat(2),
      ns: fc.integer({ min: 1, max: 999_999 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rewrite' as const), seed: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('rebuild' as const, 'replace' as const), seed: fc.nat() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('scan' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('kill' as const), commits: fc.nat(3), isDone: fc.boolean() }),
  },
);

/** The numbers in an order that the seed decides. */
function shuffled(ids: readonly number[], seed: number): number[] {
  let state = seed + 1;
  const keyed = ids.map((id) => {
    state = (state * 48_271) % 2_147_483_647;
    return { id, at: state };
  });
  return keyed.toSorted((a, b) => a.at - b.at).map(({ id }) => id);
}

class Killed extends Error {}

/** A reader that is killed at one of its commits, before or after it. */
class MortalAgent {
  private store: Store;
  private reader: IncomingReader;

  constructor(
    private readonly world: MessagesWorld,
    private readonly path: string,
  ) {
    this.store = this.openStore();
    this.reader = world.reader(this.store);
    this.reader.scan();
  }

  scan(): void {
    this.reader.scan();
  }

  dieScanning(commits: number, isDone: boolean): void {
    this.reader.stop();
    let left = commits;
    let isDead = false;
    const { store } = this;
    const mortal = {
      write<T>(work: () => T): T {
        if (isDead) throw new Killed();
        if (left-- > 0) return store.write(work);
        isDead = true;
        if (isDone) store.write(work);
        throw new Killed();
      },
      incoming: store.incoming,
      cursor: store.cursor,
    };
    const dying = this.world.reader(mortal as unknown as Store);
    dying.scan();
    dying.stop();
    store.close();
    this.store = this.openStore();
    this.reader = this.world.reader(this.store);
  }

  stored(conversation: string): string[] {
    return this.store.incoming.open(conversation, 1000).map(({ message }) => message.text);
  }

  storedInOrder(conversation: string): { seq: number; sentAt: number }[] {
    return this.store.incoming
      .open(conversation, 1000)
      .map(({ seq, message }) => ({ seq, sentAt: message.sentAt }));
  }

  close(): void {
    this.reader.stop();
    this.store.close();
  }

  private openStore(): Store {
    return openTestStore(this.path, { clock: this.world.clock, log: new RecordingLog() });
  }
}

test(
  `whatever is rebuilt, rewritten and killed, each message is stored once and in order (seed ${SEED})`,
  () => {
    let run = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
        const world = new MessagesWorld();
        world.maxAgeMs = 48 * HOUR;
        world.writer.rowCount();
        const agent = new MortalAgent(world, join(world.directory, `store-${run++}.db`));
        const said = new Map<string, string[]>([
          [PERSON, []],
          [OTHER, []],
        ]);
        const guids: string[] = [];
        let count = 0;
        for (const next of steps) {
          world.clock.advance(1000);
          if (next.kind === 'receive') {
            const from = next.from === 0 ? PERSON : OTHER;
            const text = `word ${next.word}`;
            count += 1;
            const date = appleDate(world.clock.now()) + BigInt(next.ns);
            guids.push(world.receive({ from, text, columns: { date } }).guid);
            said.get(from)?.push(text);
          } else if (next.kind === 'rewrite') {
            const guid = guids[next.seed % Math.max(guids.length, 1)];
            if (guid !== undefined) world.writer.rewrites.rewrite(guid);
          } else if (next.kind === 'rebuild') {
            world.writer.rewrites.rebuild((ids) => shuffled(ids, next.seed));
          } else if (next.kind === 'replace') {
            replaceFile(world, (copy) => copy.rewrites.rebuild((ids) => shuffled(ids, next.seed)));
          } else if (next.kind === 'kill') agent.dieScanning(next.commits, next.isDone);
          else agent.scan();
        }
        agent.scan();
        world.clock.advance(120_000);
        agent.scan();
        for (const [person, texts] of said) {
          expect(agent.stored(person)).toEqual(texts);
          const inOrder = agent.storedInOrder(person);
          expect(inOrder.map(({ seq }) => seq)).toEqual(
            inOrder.map(({ seq }) => seq).toSorted((a, b) => a - b),
          );
        }
        agent.close();
        world.closeWriter();
        world.chatDb.close();
        expect(count).toBe([...said.values()].flat().length);
      }),
      { seed: SEED, numRuns: sized(12, 1_000) },
    );
  },
  sized(300_000, 3_000_000),
);
