import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Store } from '../../src/store/Store.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { FakeClock } from '../support/FakeClock.js';
import { queuedText } from '../support/queuedText.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

function reflex(id: string, answers: string | null = null) {
  return queuedText({ id, conversation: 'ann', text: 'hi', role: 'reflex', answers });
}

/** Each way in which a text of the ledger changes. */
const CHANGES: Readonly<Record<string, (store: Store, seq: number) => void>> = {
  begin: ({ sends }, seq) => sends.begin(seq, { tag: 't', generation: null, afterRow: 1 }),
  ended: ({ sends }, seq) => sends.ended(seq, 5, { errorCode: 'c', error: 'e' }),
  requeue: ({ sends }, seq) =>
    sends.requeue(seq, { form: 1, attempts: 1, notBefore: 0, errorCode: null, error: null }),
  resend: ({ sends }, seq) => sends.resend(seq),
  unknown: ({ sends }, seq) => sends.settle(seq, { state: 'unknown', watchUntil: 9 }),
  sent: ({ sends }, seq) => sends.settle(seq, { state: 'sent', guid: `g${seq}` }),
  unwatch: ({ sends }, seq) => sends.unwatch(seq),
  promote: ({ sends }, seq) => sends.promote(seq, 7),
  rewait: ({ sends }, seq) => sends.rewait(seq, 7),
  reported: ({ sends }, seq) => sends.setReported(seq, 3, 4),
  livesEnd: ({ sends }, seq) => {
    sends.setReported(seq, 3, 40);
    sends.endLivesBy(4);
  },
  assume: ({ sends }, seq) => sends.assume(seq, 'm'),
  copy: ({ sends }) => sends.answersCopyOf('ann', 'copy', 'original'),
  file: ({ sendParts }, seq) => sendParts.setFile(seq, '/f'),
  unstaged: ({ sendParts }, seq) => sendParts.setUnstaged(seq),
  rekeyed: (store) => store.rekey(new Map([['ann', 'bob']]), () => 'k'),
  pruned: (store) => void store.prune({ ended: Number.MAX_SAFE_INTEGER, commands: 0, limit: 9 }),
};

test.each(Object.keys(CHANGES))('the watched texts are as the ledger has them after: %s', (name) => {
  const directory = temporaryDirectory();
  const store = temporaryStore(new FakeClock(), directory);
  const watchedNow = () => store.sends.watched().map(({ seq }) => seq);
  const stored = () => {
    const other = openDatabase(join(directory, 'edge-agent.db'), { readonly: true });
    const rows = other
      .prepare('SELECT * FROM sends WHERE watch_until IS NOT NULL ORDER BY watch_until, seq')
      .all() as Record<string, unknown>[];
    other.close();
    return rows;
  };
  store.write(() => {
    for (const id of ['a', 'b']) store.sends.add(reflex(id, id === 'a' ? 'copy' : null));
    for (const seq of [1, 2]) {
      store.sends.begin(seq, { tag: `t${seq}`, generation: null, afterRow: 1 });
      store.sends.ended(seq, 10 + seq, null);
    }
  });
  expect(watchedNow()).toEqual([1, 2]);
  const compare = () => {
    const shown = store.sends.watched();
    const rows = stored();
    expect(shown.map(({ seq }) => seq)).toEqual(rows.map(({ seq }) => seq));
    for (const [index, row] of rows.entries())
      expect(shown[index]).toMatchObject({
        state: row.state,
        reported: row.told,
        lifeUntil: row.life_until,
        file: row.file,
        staged: row.staged,
        conversation: row.conversation,
        answers: row.answers,
        assumed: row.assumed,
        twin: row.twin,
        place: row.place,
        form: row.form,
        error: row.error,
        attempts: row.attempts,
        watchUntil: row.watch_until,
      });
  };
  for (const seq of [2, 1]) {
    store.write(() => CHANGES[name]?.(store, seq));
    compare();
  }
  expect(() =>
    store.write(() => {
      store.sends.settle(1, { state: 'unknown', watchUntil: 99 });
      store.sends.watched();
      throw new TypeError('a mistake');
    }),
  ).toThrow('a mistake');
  compare();
});

test('the watched texts are not read from the store again while nothing of them changes', () => {
  const store = temporaryStore(new FakeClock());
  store.write(() => {
    for (const id of ['a', 'b']) store.sends.add(reflex(id));
    store.sends.begin(1, { tag: 't', generation: null, afterRow: 1 });
    store.sends.ended(1, 11, null);
  });
  const seen = store.sends.watched();
  store.write(() => store.sends.begin(2, { tag: 'u', generation: null, afterRow: 1 }));
  expect(store.sends.watched()).toBe(seen);
});
