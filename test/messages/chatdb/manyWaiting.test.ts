import { expect, onTestFinished, test } from 'vitest';
import type { Columns } from '../../../src/kit/messages/AppleDatabase.js';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import type { MessageRows } from '../../../src/messages/chatdb/rows.js';
import { MessagesWorld, OTHER, PERSON } from './messagesWorld.js';

const WAITING = 200;

/** A world in which so many rows of one person lack their text, for a minute already. */
function flooded({ count = WAITING, columns = {} }: { count?: number; columns?: Columns } = {}) {
  const world = new MessagesWorld();
  world.writer.rowCount();
  let judged = 0;
  const counted = (rows: MessageRows): MessageRows =>
    Object.create(rows, {
      rowsAmong: {
        value: (rowIds: readonly number[]) => {
          judged += rowIds.length;
          return rows.rowsAmong(rowIds);
        },
      },
    });
  const { chatDb } = world;
  const reader = new IncomingReader({
    chatDb: {
      reopen: () => chatDb.reopen(),
      whole: (reads) => chatDb.whole(reads),
      readMessages: (work) => chatDb.readMessages((rows, generation) => work(counted(rows), generation)),
    },
    store: world.newStore(),
    clock: world.clock,
    log: world.log,
    region: 'US',
    ownAddresses: () => new Set(),
    worthAnswering: () => true,
    onMessages: (messages) => world.received.push(...messages),
  });
  onTestFinished(() => reader.stop());
  reader.scan();
  const waiting = Array.from({ length: count }, () =>
    world.receive({ from: PERSON, text: 'late', stages: ['row'], columns }),
  );
  reader.scan();
  world.clock.advance(60_000);
  reader.scan();
  const judgedBy = (work: () => void) => {
    judged = 0;
    work();
    return judged;
  };
  return { world, reader, waiting, judgedBy };
}

test('of hundreds of rows that wait none is judged again for each message that arrives', () => {
  const { world, reader, judgedBy } = flooded();
  const judged = judgedBy(() => {
    for (let number = 0; number < 50; number += 1) {
      world.receive({ from: OTHER, text: `message ${number}` });
      reader.scan();
      world.clock.advance(20);
    }
  });
  expect(world.texts).toHaveLength(50);
  expect(judged).toBe(0);
});

test('one of hundreds that is complete after a minute is read within a tenth of that, without a change', () => {
  const { world, reader, waiting } = flooded();
  waiting[100]?.write('text');
  reader.scan();
  world.clock.advance(6_001);
  expect(world.texts).toEqual(['late']);
});

test('hundreds that never get a text are given up when their time is over, however they rested', () => {
  const { world, judgedBy } = flooded();
  const judged = judgedBy(() => world.clock.advance(11 * 60_000));
  expect(judged).toBeGreaterThanOrEqual(WAITING);
  expect(judgedBy(() => world.clock.advance(3_600_000))).toBe(0);
});

/** A damaged body of which nothing can be read. */
const DAMAGED = Buffer.alloc(70_000, 0x84);

test('a large row is not read again for each message that arrives, though few wait; small ones are', () => {
  const judgedBeside = (attributedBody: Buffer) => {
    const { world, reader, judgedBy } = flooded({ count: 3, columns: { attributedBody } });
    return judgedBy(() => {
      for (let number = 0; number < 10; number += 1) {
        world.receive({ from: OTHER, text: `message ${number}` });
        reader.scan();
      }
      expect(world.texts).toHaveLength(10);
    });
  };
  expect(judgedBeside(DAMAGED.subarray(0, 1_000))).toBe(30);
  expect(judgedBeside(DAMAGED)).toBe(0);
});

test('a large one that is complete after a minute is read within a tenth of that, without a change', () => {
  const { world, reader, waiting } = flooded({ count: 3, columns: { attributedBody: DAMAGED } });
  waiting[1]?.write('text');
  reader.scan();
  world.clock.advance(6_001);
  expect(world.texts).toEqual(['late']);
});
