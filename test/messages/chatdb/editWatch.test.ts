import { expect, onTestFinished, test } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import type { Reading } from '../../../src/messages/chatdb/ChatDbConnection.js';
import { EditedRows, EditWatch, type RowChange } from '../../../src/messages/chatdb/EditWatch.js';
import { Schema } from '../../../src/messages/chatdb/schema.js';
import { type Database, openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { MessagesWorld, PERSON } from './messagesWorld.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Watches a chat.db of which only the stretches that are asked for matter. */
function watching() {
  const clock = new FakeClock();
  const state = { asked: [] as [number, number][], found: [] as RowChange[], busy: false, takes: true };
  const rows = {
    between(from: number, to: number) {
      state.asked.push([from, to]);
      return state.found;
    },
  } as unknown as EditedRows;
  const watch = new EditWatch({
    clock,
    chatDb: {
      readEdits: <T>(work: (rows: EditedRows) => T): Reading<T> =>
        state.busy ? { kind: 'busy' } : { kind: 'read', value: work(rows) },
    },
    onChanges: () => state.takes,
  });
  onTestFinished(() => watch.stop());
  const asked = () => state.asked.splice(0);
  return { clock, state, watch, asked };
}

test('it begins with the last 48 hours, in pieces that leave no gap', () => {
  const { clock, watch, asked } = watching();
  watch.start();
  clock.advance(0);
  const pieces = asked();
  expect(pieces).toHaveLength(16);
  expect(pieces[0]?.[0]).toBe(clock.now() - 48 * HOUR);
  expect(pieces.slice(1).map(([from]) => from)).toEqual(pieces.slice(0, -1).map(([, to]) => to));
  expect(pieces.at(-1)?.[1]).toBeGreaterThan(clock.now());
});

test('a change of chat.db is followed by a look at the last half hour, at most once a second', () => {
  const { clock, watch, asked } = watching();
  watch.start();
  clock.advance(10);
  asked();
  for (let n = 0; n < 50; n++) watch.look();
  expect(asked()).toHaveLength(1);
  clock.advance(999);
  expect(asked()).toHaveLength(0);
  clock.advance(1);
  expect(asked()[0]?.[0]).toBe(clock.now() - 30 * MINUTE);
});

test('while chat.db does not change there are no looks at all', () => {
  const { clock, watch, asked } = watching();
  watch.start();
  clock.advance(10);
  asked();
  clock.advance(HOUR);
  expect(asked()).toEqual([]);
  watch.look();
  asked();
  clock.advance(MINUTE);
  expect(asked()).toHaveLength(16);
});

test.each([
  ['chat.db is locked', { busy: true }],
  [
    'the disk does not accept them',
    { takes: false, found: [{ kind: 'unsent', guid: 'G', rowId: 1, sentAt: 1, at: null }] },
  ],
])('what failed because %s is done a minute later', (_why, trouble) => {
  const { clock, state, watch, asked } = watching();
  Object.assign(state, trouble);
  watch.start();
  clock.advance(10);
  Object.assign(state, { busy: false, takes: true });
  asked();
  clock.advance(MINUTE);
  expect(asked()).toHaveLength(16);
});

test('no timer is left when it is stopped', () => {
  const { clock, watch } = watching();
  watch.start();
  watch.look();
  watch.look();
  watch.stop();
  watch.look();
  expect(clock.pending).toBe(0);
});

test('a message whose processing throws has no change, and those beside it have theirs', () => {
  const world = new MessagesWorld();
  const now = world.clock.now();
  const edited = (text: string) =>
    world.receive({ from: PERSON, text, columns: { date_edited: appleDate(now) } });
  const [odd] = [edited('odd'), edited('fine')];
  const database = openDatabase(world.path);
  onTestFinished(() => void database.close());
  const fail = () => {
    throw new TypeError('no way to read this');
  };
  const failing = (rows: unknown[]) =>
    rows.map((row) =>
      JSON.stringify(row).includes(odd.guid) ? Object.defineProperty(row, 'summary', { get: fail }) : row,
    );
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    return sql.includes('date_edited')
      ? { all: (...given: unknown[]) => failing(statement.all(...given)) }
      : statement;
  };
  const schema = Schema.read(database);
  const rows = new EditedRows({ database: { prepare } as unknown as Database, schema, generation: 'g' });
  expect(rows.between(now - HOUR, now + HOUR)).toMatchObject([{ kind: 'edited', text: 'fine' }]);
});
