import { expect, test } from 'vitest';
import { clockSince, clocksAtStart, clocksOfAnother, withClock } from '../../src/store/macClock.js';

const sure = (ms: number) => ({ ms, isCertain: true });
/** An agent knew the time from counter 1 on. */
const KNOWN = withClock(clocksAtStart([], 1), 2, sure(7_200_000));

test('a life that never reached the backend is not known by what the next life found', () => {
  const unreached = clocksAtStart(KNOWN, 9);
  const next = withClock(clocksAtStart(unreached, 12), 13, sure(0));
  expect(clockSince(next, 5)).toEqual({ behindMs: [0, 7_200_000], isWhole: false });
  expect(clockSince(next, 11)).toEqual({ behindMs: [0], isWhole: true });
});

test('a life of another store that never reached the backend does not count as known', () => {
  const another = clocksOfAnother(clocksAtStart(KNOWN, 9));
  const next = withClock(clocksAtStart(another, 12), 13, sure(0));
  expect(clockSince(next, 5)).toEqual({ behindMs: [0, 7_200_000], isWhole: false });
  expect(clockSince(next, 11)).toEqual({ behindMs: [0], isWhole: true });
});

test('many lives that never reach the backend leave a short record', () => {
  let record = KNOWN;
  for (let counter = 9; counter < 50; counter++) record = clocksAtStart(record, counter);
  expect(clockSince(record, 2)).toEqual({ behindMs: [7_200_000], isWhole: false });
  expect(record.length).toBeLessThan(3);
});
