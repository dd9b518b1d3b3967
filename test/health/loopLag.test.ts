import { expect, test } from 'vitest';
import { loopLag } from '../../src/health/loopLag.js';

test.each([
  ['an idle loop, which is measured every 10 ms, is hardly late', 10_600_000, 0.0006],
  ['a loop that was blocked for a second is late by that', 1_010_000_000, 1],
  ['a measurement that came a little early is not early', 9_900_000, 0],
  ['nothing measured yet is no lag', Number.NaN, 0],
  ['and neither is the largest number, which means no value', 9_223_372_036_854_776_000, 0],
])('%s', (_, measured, lag) => {
  expect(loopLag(measured)).toBeCloseTo(lag, 9);
});
