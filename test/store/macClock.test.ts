import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClockRecord, clockSince, clocksAtStart, withClock } from '../../src/store/macClock.js';

const sure = (ms: number) => ({ ms, isCertain: true });
const doubted = (ms: number) => ({ ms, isCertain: false });

/** An agent starts at counter 1, and finds this out, at one counter after the other. */
const recorded = (...found: (ReturnType<typeof sure> | null)[]): ClockRecord =>
  found.reduce<ClockRecord>((known, skew, nth) => withClock(known, nth + 2, skew), clocksAtStart([], 1));

describe('what the clock showed after a counter', () => {
  test.each([
    ['is not known before the backend has said its time', recorded(null, null), 0, [], false],
    ['is known from the start on once the backend has', recorded(null, sure(0)), 0, [0], true],
    ['is one value while the clock only drifts', recorded(sure(0), sure(400), sure(-900)), 0, [0], true],
    ['is a range if the clock was set', recorded(sure(0), sure(90_000), sure(10)), 0, [0, 90_000], true],
    ['leaves out what it showed before', recorded(sure(0), sure(90_000), sure(10)), 3, [10], true],
    ['has what it still showed right after the copy', recorded(sure(0), sure(90_000)), 1, [0, 90_000], true],
    ['has no lead of the clock that may be a sleep', recorded(sure(0), doubted(-3_600_000)), 0, [0], true],
    ['has a delay of the clock at once', recorded(sure(0), doubted(90_000)), 0, [0, 90_000], true],
  ])('%s', (_, record, counter, behindMs, isWhole) => {
    expect(clockSince(record, counter)).toEqual({ behindMs, isWhole });
  });

  test('is not all known if an agent ended before it knew the time', () => {
    const record = clocksAtStart(recorded(sure(0)), 9);
    expect(clockSince(record, 0)).toEqual({ behindMs: [0], isWhole: false });
    expect(withClock(record, 12, sure(0))).toEqual(recorded(sure(0)));
  });

  test('is not all known of before the oldest record', () => {
    expect(clockSince([[5, [0]]], 3)).toEqual({ behindMs: [0], isWhole: false });
    expect(clockSince([[5, [0]]], 4)).toEqual({ behindMs: [0], isWhole: true });
    expect(clockSince([], 3)).toEqual({ behindMs: [], isWhole: false });
  });
});

test('a clock that was hours behind is not forgotten for many small changes', () => {
  const flaps = Array.from({ length: 12 }, (_, nth) => sure((nth % 2) * 1_500));
  const { behindMs } = clockSince(recorded(sure(7_200_000), ...flaps), 0);
  expect(Math.max(...behindMs)).toBe(7_200_000);
});

test('whatever the clock is set to, the record stays short, and has all that is asked for or says that it has not', () => {
  const skews = fc.array(fc.integer({ min: -10, max: 10 }), { maxLength: 30 });
  fc.assert(
    fc.property(skews, fc.nat(32), (seconds, counter) => {
      const record = recorded(...seconds.map((second) => sure(second * 2_000)));
      expect(JSON.stringify(record).length).toBeLessThan(220);
      const { behindMs, isWhole } = clockSince(record, counter);
      const shown = seconds.filter((_, nth) => nth + 2 > counter).map((second) => second * 2_000);
      if (!isWhole) return;
      for (const one of shown) {
        expect(one).toBeGreaterThanOrEqual(Math.min(...behindMs));
        expect(one).toBeLessThanOrEqual(Math.max(...behindMs));
      }
    }),
  );
});
