import { expect, test } from 'vitest';
import { Store } from '../../src/store/Store.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const DAY_MS = 86_400_000;

function journalWorld() {
  const path = `${temporaryDirectory()}/store.db`;
  const clock = new FakeClock();
  const open = () => Store.open(path, { clock, log: new RecordingLog() });
  const store = open();
  const say = (messageId: string, text = messageId) =>
    store.write(() =>
      store.textJournal.add({
        conversation: '+13105551234',
        messageId,
        text,
        sender: null,
        saidAt: clock.now(),
      }),
    );
  /** Everything behind a cursor, as a reader gets it. */
  const readFrom = (cursor: string) => {
    const ids: string[] = [];
    const gaps: string[] = [];
    for (let at = cursor; ; ) {
      const page = store.textJournal.after(at);
      if (page === undefined) throw new Error(`${at} is no cursor`);
      if (page.gap !== null) gaps.push(page.gap);
      ids.push(...page.texts.map(({ messageId }) => messageId));
      at = page.cursor;
      if (page.texts.length === 0) return { ids, gaps, cursor: at };
    }
  };
  return { path, clock, store, say, readFrom };
}

test('every text comes once and in order however many pages they fill, and a long one is a page of its own', () => {
  const { store, say, readFrom } = journalWorld();
  const ids = Array.from({ length: 250 }, (_, index) => `m${index}`);
  for (const id of ids) say(id, id === 'm120' ? 'x'.repeat(1_000_000) : id);
  expect(readFrom('0')).toMatchObject({ ids, gaps: [] });
  const [first] = store.textJournal.after('0')?.texts ?? [];
  expect(readFrom(first?.cursor ?? '')).toMatchObject({ ids: ids.slice(1), gaps: [] });
  expect(readFrom(store.textJournal.newest())).toMatchObject({ ids: [], gaps: [] });
});

test('a failed write leaves no hole that would be taken for a lost text', () => {
  const { store, say, readFrom } = journalWorld();
  say('a');
  const cursor = store.textJournal.newest();
  expect(() =>
    store.write(() => {
      say('b');
      throw new Error('the disk is full');
    }),
  ).toThrow('full');
  say('c');
  expect(readFrom(cursor)).toMatchObject({ ids: ['c'], gaps: [] });
});

test('a cursor from before the kept texts is reported, also where nothing is kept any more', () => {
  const { store, clock, say, readFrom } = journalWorld();
  say('a');
  const old = store.textJournal.newest();
  say('b');
  const atTheEnd = store.textJournal.newest();
  clock.advance(8 * DAY_MS);
  const bounds = { ended: clock.now() - 7 * DAY_MS, commands: 0, limit: 100 };
  store.write(() => store.prune(bounds));
  expect(readFrom(old)).toMatchObject({ ids: [], gaps: ['not_kept'] });
  expect(readFrom(atTheEnd)).toMatchObject({ ids: [], gaps: [] });
  say('c');
  expect(readFrom(old)).toMatchObject({ ids: ['c'], gaps: ['not_kept'] });
  expect(readFrom(atTheEnd)).toMatchObject({ ids: ['c'], gaps: [] });
});

test('a row that the disk lost is reported as missing', () => {
  const { path, store, say, readFrom } = journalWorld();
  say('a');
  const cursor = store.textJournal.newest();
  for (const id of ['b', 'c', 'd']) say(id);
  const other = openDatabase(path);
  other.prepare("DELETE FROM text_journal WHERE message_id = 'c'").run();
  other.close();
  expect(readFrom(cursor)).toMatchObject({ ids: ['b', 'd'], gaps: ['not_kept'] });
});

test('a cursor of another store, or of texts that an older copy of the store does not have, starts again and says so', () => {
  const [one, other] = [journalWorld(), journalWorld()];
  for (const id of ['a', 'b', 'c']) one.say(id);
  other.say('x');
  const cursor = one.store.textJournal.newest();
  expect(other.readFrom(cursor)).toMatchObject({ ids: ['x'], gaps: ['unknown_cursor'] });
  for (const id of ['y', 'z', 'zz']) other.say(id);
  expect(other.readFrom(cursor)).toMatchObject({ ids: ['x', 'y', 'z', 'zz'], gaps: ['unknown_cursor'] });
  for (const none of ['', '-1', '1-xyz', '1.5', '9'.repeat(40)])
    expect(one.store.textJournal.after(none)).toBe(undefined);
});
