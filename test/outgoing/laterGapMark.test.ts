import { expect, test } from 'vitest';
import { begunTexts, forgottenTexts } from '../../src/store/Witness.js';
import { PERSON, RestoredWorld } from './RestoredWorld.js';

const DAY_MS = 86_400_000;

test('a scheduled text that fell due after the gap of a mark is sent, though a later gap was found', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const firstEnd = clock.now();
  const attempt = { conversation: PERSON, text: 'pill', file: null, tag: 'a' };
  const begun = forgottenTexts([], begunTexts([], [attempt]), firstEnd).map((group) => ({
    ...group,
    madeUntil: firstEnd,
  }));
  clock.advance(10 * DAY_MS);
  const activeUntil = clock.now();
  // It was due a day before the later gap ended, and never sent.
  const sendAt = activeUntil - DAY_MS;
  clock.advance(60_000);
  mac.restore(0, clock.now(), {
    ...{
      foundAt: clock.now(),
      activeUntil,
      shownUntil: activeUntil,
      copiedAt: firstEnd,
      from: firstEnd,
      begun,
    },
  });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  store.write(() => store.lineage.noteMadeUntil());
  clock.advance(1_000);
  mac.schedule('due', 'pill', sendAt);
  await mac.run();
  expect(messages.texts).toEqual(['pill']);
  mac.close();
});
