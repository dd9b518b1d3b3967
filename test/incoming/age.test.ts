import { expect, test } from 'vitest';
import { isWorthAnswering } from '../../src/incoming/forwarding.js';

const HOUR = 3600_000;
const limits = { maxAgeMs: 6 * HOUR, catchUpMs: 24 * HOUR };
const now = 1_000 * HOUR;
const ask = (ageHours: number, outages: [number, number | null][] = []) =>
  isWorthAnswering(
    now - ageHours * HOUR,
    now,
    outages.map(([from, to]) => ({ from: now - from * HOUR, to: to === null ? null : now - to * HOUR })),
    limits,
  );

test.each([
  ['a young message', 1, [], true],
  ['one past its age', 7, [], false],
  ['a years-old one from an iCloud sync', 40_000, [], false],
  ['one from the night in which the agent was down', 10, [[9, 0.5]], true],
  ['one that was old before the agent went down', 16, [[8, 0]], false],
  ['one older than the catch-up limit, whatever was down', 25, [[25, 0]], false],
  [
    'overlapping outages counted once',
    10,
    [
      [9, 6],
      [8, 7],
      [8, null],
    ],
    true,
  ],
  [
    'overlapping outages not counted twice',
    12,
    [
      [5, 1],
      [5, 1],
    ],
    false,
  ],
] as [string, number, [number, number | null][], boolean][])('%s', (_name, age, outages, worth) => {
  expect(ask(age, outages)).toBe(worth);
});
