import { expect, test } from 'vitest';
import { localTime, withLocalTimes } from '../../src/system/time.js';

const AT = Date.UTC(2026, 11, 25, 2, 30, 5);

test.for([
  ['America/Los_Angeles', '2026-12-24 18:30:05 PST'],
  ['UTC', '2026-12-25 02:30:05 UTC'],
  ['Europe/Berlin', '2026-12-25 03:30:05 GMT+1'],
  ['Asia/Kolkata', '2026-12-25 08:00:05 GMT+5:30'],
] as const)('people in %s read their own time, with its zone', ([zone, shown]) => {
  expect(localTime(AT, zone)).toBe(shown);
});

test('midnight is 00, and the hour that summer time repeats is identified by its zone', () => {
  expect(localTime(Date.UTC(2026, 6, 1, 7), 'America/Los_Angeles')).toBe('2026-07-01 00:00:00 PDT');
  expect(localTime(Date.UTC(2026, 10, 1, 8, 30), 'America/Los_Angeles')).toBe('2026-11-01 01:30:00 PDT');
  expect(localTime(Date.UTC(2026, 10, 1, 9, 30), 'America/Los_Angeles')).toBe('2026-11-01 01:30:00 PST');
});

test('a time within a sentence is converted too, and nothing else is', () => {
  expect(withLocalTimes('sched_1 for 2026-12-25T02:30:05.000Z (v1.2)', 'America/Los_Angeles')).toBe(
    'sched_1 for 2026-12-24 18:30:05 PST (v1.2)',
  );
});
