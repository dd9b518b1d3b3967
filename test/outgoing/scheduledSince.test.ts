import { expect, test } from 'vitest';
import { PERSON, RestoredWorld } from './RestoredWorld.js';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

/** A text that the backend scheduled at this time of its clock, for a time of this Mac's clock. */
function schedule(mac: RestoredWorld, words: string, madeAt: number, sendAt: number): void {
  const { store } = mac;
  const commandId = `cmd_${words}_${sendAt}`;
  const body = JSON.stringify({ payload: {}, priority: 'normal', timestamp: madeAt });
  const of = { conversation: PERSON, threadId: PERSON, text: words };
  store.write(() => {
    store.commands.add({ commandId, commandType: 'schedule_message', body, bodyHash: '', via: 'http' });
    store.schedule.add({ ...of, scheduleId: commandId, commandId, sendAt, priority: 2 });
    mac.outgoing.enqueue({
      ...{ ...of, id: `scheduled:${commandId}`, commandId, scheduleId: commandId },
      ...{ role: 'message', priority: 2, pauseMs: 0 },
    });
  });
}

test('a text that was scheduled after the restore is sent, though a row of the gap in its words is dated years ahead', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const copiedAt = clock.now();
  clock.advance(1_000);
  // The clock was years ahead when the forgotten agent sent these words, and was set right.
  const shownUntil = clock.now() + 4 * YEAR_MS;
  mac.wasSent('Good morning!', shownUntil, false);
  clock.advance(5_000);
  const found = { foundAt: clock.now(), activeUntil: clock.now(), shownUntil, copiedAt, from: copiedAt };
  mac.restore(0, clock.now(), found);
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  store.write(() => store.lineage.noteMadeUntil());
  clock.advance(DAY_MS);
  const madeAt = mac.trueTime;
  clock.advance(DAY_MS);
  schedule(mac, 'Good morning!', madeAt, clock.now() - 1_000);
  await mac.run();
  expect(messages.texts).toEqual(['Good morning!']);
  mac.close();
});

test('texts that are scheduled after the restore are sent, though the clock was years ahead when the copy was made', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const shownUntil = clock.now() + 4 * YEAR_MS;
  clock.advance(1_000);
  mac.wasSent('Good morning!', clock.now(), false);
  clock.advance(5_000);
  const found = { foundAt: clock.now(), activeUntil: clock.now(), shownUntil, copiedAt: shownUntil };
  mac.restore(0, clock.now(), { ...found, from: shownUntil });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  store.write(() => store.lineage.noteMadeUntil());
  for (let nth = 0; nth < 3; nth++) {
    clock.advance(DAY_MS);
    schedule(mac, 'Good morning!', mac.trueTime - 60_000, clock.now() - 1_000);
  }
  await mac.run();
  expect(messages.texts).toHaveLength(3);
  mac.close();
});

test('a text that was scheduled before the restore is not sent again, though its time is after it', async () => {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const copiedAt = clock.now();
  clock.advance(1_000);
  const madeAt = mac.trueTime;
  const shownUntil = clock.now() + 4 * YEAR_MS;
  mac.wasSent('Good morning!', shownUntil, false);
  clock.advance(5_000);
  const found = { foundAt: clock.now(), activeUntil: clock.now(), shownUntil, copiedAt, from: copiedAt };
  mac.restore(0, clock.now(), found);
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  store.write(() => store.lineage.noteMadeUntil());
  clock.advance(2 * DAY_MS);
  schedule(mac, 'Good morning!', madeAt, clock.now() - 1_000);
  await mac.run();
  expect(messages.texts).toEqual([]);
  mac.close();
});

test('a text that was scheduled after the restore and is too late is not found in a row of the gap that is dated years ahead', () => {
  const mac = new RestoredWorld();
  const { clock, store, messages, outgoing } = mac;
  const shownUntil = clock.now() + 4 * YEAR_MS;
  mac.wasSent('Good morning!', shownUntil, false);
  mac.restore(0, clock.now(), { foundAt: clock.now(), shownUntil });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  mac.learnTime();
  const before = mac.trueTime - 60_000;
  clock.advance(DAY_MS);
  const wanted = { conversation: PERSON, text: 'Good morning!' };
  const due = { at: clock.now() - 60_000, clock: 'own' } as const;
  expect(outgoing.mayHaveGoneOut(wanted, { ...due, madeAt: mac.trueTime - 90_000 })).toBe('no');
  expect(outgoing.mayHaveGoneOut(wanted, { ...due, madeAt: before })).toBe('maybe');
  mac.close();
});
