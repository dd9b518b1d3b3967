import { expect, test } from 'vitest';
import { RestoredWorld } from './RestoredWorld.js';

const HOUR_MS = 3_600_000;

test('a scheduled text that was sent while the clock was ahead is not sent again, though its agent saw the clock set back', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const copiedAt = clock.now();
  const sendAt = copiedAt + 80_000;
  clock.advance(1_000);
  // The clock is 90 s ahead: the text falls due, and goes out.
  const shownUntil = clock.now() + 90_000;
  mac.wasSent('pill', shownUntil, false);
  // It is set back, and the agent is at work for a moment more.
  clock.advance(2_000);
  const activeUntil = clock.now();
  clock.advance(3_000);
  mac.restore(0, clock.now(), {
    ...{ foundAt: clock.now(), activeUntil, shownUntil, copiedAt, from: copiedAt },
  });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  mac.at(sendAt + 1_000);
  mac.schedule('due', 'pill', sendAt);
  await mac.run();
  expect(messages.texts).toEqual([]);
  mac.close();
});

test('a forgotten command that is offered late is not sent again where the backend never says the time', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const copiedAt = clock.now();
  clock.advance(1_000);
  const madeAt = clock.now();
  clock.advance(500);
  mac.wasSent('ok', clock.now(), false);
  const activeUntil = clock.now();
  clock.advance(3_000);
  mac.restore(0, clock.now(), { foundAt: clock.now(), activeUntil, copiedAt, from: copiedAt });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  for (let nth = 0; nth < 22; nth++) {
    store.lineage.noteOffering();
    clock.advance(30_000);
    store.write(() => {
      store.lineage.noteMadeUntil();
      store.lineage.endOffering(store.sends.newest());
    });
  }
  expect(store.lineage.gap()?.offeredUpTo).not.toBeNull();
  mac.offer('ok', madeAt);
  await mac.run();
  expect(messages.texts).toEqual([]);
  mac.close();
});

test('a command of a replica whose clock is 1.5 s ahead is not sent again after the clock drifted by less than is recorded', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const copiedAt = clock.now();
  clock.advance(HOUR_MS);
  // It was recorded as not behind, and has drifted by 900 ms since.
  clock.jumpWall(-900);
  const madeAt = mac.trueTime + 1_500;
  clock.advance(200);
  mac.wasSent('ok', clock.now(), false);
  const activeUntil = clock.now();
  clock.advance(5_000);
  mac.restore(0, clock.now(), {
    ...{ foundAt: clock.now(), activeUntil, copiedAt, from: copiedAt },
    ...{ clock: { behindMs: [0], isWhole: true } },
  });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  mac.offer('ok', madeAt);
  await mac.run();
  expect(messages.texts).toEqual([]);
  mac.close();
});
