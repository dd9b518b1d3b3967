import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClockRecord, clockSince, clocksAtStart, withClock } from '../../src/store/macClock.js';
import { sized } from '../support/size.js';
import { RestoredWorld } from './RestoredWorld.js';

const SEED = 20261201;
const LAST_ROWS_MS = 60_000;
const WORDS = ['ok', 'yes'];

/** By how much the clock is wrong from now on, in ms; undefined: it is not set. */
const step = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 3 },
  { arbitrary: fc.constantFrom(0, 30_000, -30_000, 90_000, -90_000, 3_600_000, -3_600_000), weight: 2 },
);

const wanted = fc.record({
  words: fc.constantFrom(...WORDS),
  fate: fc.constantFrom('forgotten' as const, 'open' as const),
  isOffered: fc.boolean(),
  isScheduled: fc.boolean(),
  waitMs: fc.integer({ min: 100, max: 20_000 }),
  /** Which replica of the backend made the command, by its clock. */
  replicaMs: fc.constantFrom(0, 1_500, -1_500),
  /** Whether the agent is certain of the backend's time when it sends the text. */
  isCertain: fc.boolean(),
  step,
});

const story = fc.record({
  texts: fc.array(wanted, { minLength: 1, maxLength: 6 }),
  beforeFound: step,
  downMs: fc.constantFrom(1_600, 5_000, 120_000),
  beforeOffered: step,
  beforeRun: step,
  /** When the restored agent learns the backend's time. */
  knowsTime: fc.constantFrom('once' as const, 'before it sends' as const, 'never' as const),
});

type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

async function play({ texts, beforeFound, downMs, beforeOffered, beforeRun, knowsTime }: Story) {
  const mac = new RestoredWorld();
  const { clock, store, messages } = mac;
  const set = (offset: number | undefined) => {
    if (offset !== undefined) clock.jumpWall(mac.trueTime + offset - clock.now());
  };
  const copiedAt = clock.now();
  let clocks: ClockRecord = clocksAtStart([], 1);
  let counter = 1;
  let shownUntil = 0;
  const noteClock = (isCertain: boolean) => {
    counter += 1;
    clocks = withClock(clocks, counter, { ms: mac.trueTime - clock.now(), isCertain });
  };
  const made = texts.map((one) => {
    clock.advance(one.waitMs);
    set(one.step);
    const [madeAt, dueAt] = [mac.trueTime + one.replicaMs, clock.now()];
    clock.advance(300);
    if (one.fate === 'forgotten') {
      noteClock(one.isCertain);
      shownUntil = Math.max(shownUntil, clock.now());
      mac.wasSent(one.words, clock.now(), false);
    }
    return { ...one, madeAt, dueAt };
  });
  noteClock(true);
  const activeUntil = clock.now();
  clock.advance(downMs);
  set(beforeFound);
  mac.restore(0, Math.min(clock.now(), activeUntil + LAST_ROWS_MS), {
    ...{ foundAt: clock.now(), activeUntil, copiedAt, from: copiedAt, shownUntil },
    clock: clockSince(clocks, 0),
  });
  store.write(() => store.lineage.noteGapRows(messages.rows));
  clock.advance(1_000);
  if (knowsTime === 'once') mac.learnTime();
  set(beforeOffered);
  const again = made.filter(({ fate, isOffered }) => fate === 'open' || isOffered);
  again.forEach(({ words, madeAt, dueAt, isScheduled }, nth) => {
    if (isScheduled) mac.schedule(`due-${nth}`, words, dueAt);
    else mac.offer(words, madeAt);
  });
  clock.advance(2_500);
  set(beforeRun);
  if (knowsTime !== 'never') mac.learnTime();
  const lastDue = Math.max(...again.map(({ isScheduled, dueAt }) => (isScheduled ? dueAt : 0)), 0);
  if (clock.now() < lastDue) clock.advance(lastDue - clock.now());
  const fresh = WORDS.map((words) => `command:${mac.offer(words, mac.trueTime)}`);
  await mac.run();
  const isSentNow = (id: string) => store.sends.findById(id)?.attemptedAt !== null;
  return { mac, unsent: fresh.filter((id) => !isSentNow(id)) };
}

describe(`seed ${SEED}: whenever the clock is set around a restore`, () => {
  test('no text is sent more often than it was wanted, and each that was wanted since is sent', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (one) => {
        const { mac, unsent } = await play(one);
        try {
          for (const words of WORDS) {
            const open = one.texts.filter((text) => text.fate === 'open' && text.words === words).length;
            const sent = mac.messages.texts.filter((text) => text === words).length;
            expect(sent).toBeLessThanOrEqual(open + 1);
          }
          if (one.knowsTime !== 'never') expect(unsent).toEqual([]);
        } finally {
          mac.close();
        }
      }),
      { seed: SEED, numRuns: sized(150, 3_000) },
    );
  });
});
