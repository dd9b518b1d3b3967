import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GIVE_UP_MS, nextAttempt } from '../../../src/gateway/webhooks/retrySchedule.js';

const calm = { createdAt: 0, now: 0, retryAfterMs: 0 };

test('the pauses are those of the specification, and the last attempt is a day after the event', () => {
  const times: number[] = [];
  for (let now: number | undefined = 0, attempts = 1; now !== undefined; attempts += 1) {
    times.push(now / 1000);
    now = nextAttempt({ ...calm, attempts, now }, () => 0);
  }
  expect(times).toEqual([0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400]);
});

test('an attempt is never in the past nor more than a day after its event, and attempts have an end', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 2 * GIVE_UP_MS }),
      fc.integer({ min: 0, max: 2 * GIVE_UP_MS }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, now, retryAfterMs, chance) => {
        const at = nextAttempt({ attempts, createdAt: 0, now, retryAfterMs }, () => chance);
        if (now >= GIVE_UP_MS) expect(at).toBeUndefined();
        else {
          expect(at).toBeGreaterThan(now);
          expect(at).toBeLessThanOrEqual(GIVE_UP_MS);
        }
      },
    ),
  );
});
