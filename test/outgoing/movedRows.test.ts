import { describe, expect, test } from 'vitest';
import type { SendRecord, SentRow } from '../../src/model/sending.js';
import { type KnownRows, knownRows, matchRows } from '../../src/outgoing/SendVerifier.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { queuedText } from '../support/queuedText.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const NOTHING_KNOWN: KnownRows = {
  isClaimed: () => false,
  isPersons: () => false,
  isOfGap: () => false,
  isCopy: () => false,
};

/** A text that was tried when the newest row was 100. */
function tried(store: Store, text = 'omw', id = text): SendRecord {
  return store.write(() => {
    const send = store.sends.add(queuedText({ id, conversation: ANN, text }));
    if (send === undefined) throw new Error('the id is known');
    store.sends.begin(send.seq, { tag: id, generation: 'g', afterRow: 100 });
    const begun = store.sends.get(send.seq);
    if (begun === undefined) throw new Error('it is gone');
    return begun;
  });
}

function row(messages: FakeMessages, rowId: number, sentAt: number): SentRow {
  messages.addRow(ANN, 'omw');
  const added = Object.assign(messages.rows.at(-1) ?? {}, { rowId, sentAt, guid: `row ${rowId}` });
  return added as SentRow;
}

describe('a text in progress while ROWIDs are reassigned', () => {
  test.each([
    ['in another file', (messages: FakeMessages) => Object.assign(messages, { generation: 'h' })],
    ['in the same file', (messages: FakeMessages, now: number) => Object.assign(messages, { movedAt: now })],
    [
      'in the same file, later',
      (messages: FakeMessages, now: number) => Object.assign(messages, { movedAt: now + 5000 }),
    ],
  ])('%s is proven by a row of its time, wherever that is', (_, move) => {
    const clock = new FakeClock();
    const messages = new FakeMessages();
    const send = tried(temporaryStore(clock));
    const proof = row(messages, 7, clock.now() + 300);
    move(messages, clock.now());
    expect(matchRows([send], messages, NOTHING_KNOWN, clock.now()).proofs.get(send.seq)).toBe(proof);
  });

  test.each([-1, -1000, -22 * 3600_000])('and by none from %d ms before its attempt', (before) => {
    const clock = new FakeClock();
    const messages = Object.assign(new FakeMessages(), { generation: 'h' });
    const send = tried(temporaryStore(clock));
    row(messages, 7, clock.now() + before);
    row(messages, 200, clock.now() + before);
    expect(matchRows([send], messages, NOTHING_KNOWN, clock.now()).proofs.size).toBe(0);
  });
});

test('a text that was tried while the clock was ahead is proven by a row of the last minutes, if ROWIDs are reassigned', () => {
  const clock = new FakeClock();
  const messages = Object.assign(new FakeMessages(), { generation: 'h' });
  clock.jumpWall(3600_000);
  const send = tried(temporaryStore(clock));
  clock.jumpWall(-3600_000);
  row(messages, 6, clock.now() - 300_000);
  const proof = row(messages, 7, clock.now());
  expect(matchRows([send], messages, NOTHING_KNOWN, clock.now()).proofs.get(send.seq)).toBe(proof);
});

test('a text that was tried while chat.db could not be read is proven by a row of its time', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const { seq } = tried(store);
  store.write(() => store.sends.begin(seq, { tag: 'omw', generation: null, afterRow: null }));
  const send = store.sends.get(seq);
  if (send === undefined) throw new Error('it is gone');
  row(messages, 7, clock.now() - 1);
  const proof = row(messages, 8, clock.now() + 300);
  expect(matchRows([send], messages, NOTHING_KNOWN, clock.now()).proofs.get(seq)).toBe(proof);
});

test.each([
  [22 * 3600_000, false],
  [121_000, false],
  [60_000, true],
  [0, true],
])('a row above that is dated %d ms before the attempt proves it: %s', (before, proves) => {
  const clock = new FakeClock();
  const messages = new FakeMessages();
  const send = tried(temporaryStore(clock));
  row(messages, 101, clock.now() - before);
  expect(matchRows([send], messages, NOTHING_KNOWN, clock.now()).proofs.has(send.seq)).toBe(proves);
});

describe('a copy of a row that existed before the attempt, with the same text', () => {
  test.each([
    ['k', 1_000],
    ['omw', 60_000],
    ['👍', 110_000],
  ])('“%s” of %d ms before proves nothing, once that one has proven a text', (text, before) => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const messages = new FakeMessages();
    const earlier = tried(store, text);
    const sentAt = clock.now() + 10;
    clock.advance(200);
    store.write(() => store.sends.settle(earlier.seq, { state: 'sent', guid: 'its row' }));
    clock.advance(before);
    const send = tried(store, text, 'again');
    Object.assign(row(messages, 101, sentAt), { text });
    expect(matchRows([send], messages, knownRows(store), clock.now()).proofs.size).toBe(0);
    const own = Object.assign(row(messages, 102, clock.now() + 10), { text });
    expect(matchRows([send], messages, knownRows(store), clock.now()).proofs.get(send.seq)).toBe(own);
  });

  test('nor where a person wrote the first one from another device', () => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const messages = new FakeMessages();
    const sentAt = clock.now();
    clock.advance(30_000);
    const send = tried(store);
    const copy = row(messages, 101, sentAt);
    const seen = { conversation: ANN, key: 'me', words: 'w', files: '', changed: false, seenAt: sentAt };
    store.write(() => store.cursor.seen.add({ ...seen, guid: copy.guid, original: 'the first' }));
    expect(matchRows([send], messages, knownRows(store), clock.now()).proofs.size).toBe(0);
  });
});
