import { expect, test } from 'vitest';
import { parseDuration, parseFuture, parsePast } from '../../src/cli/times.js';

const NOW = new Date(2026, 10, 20, 9, 0, 0).getTime();
const local = (...parts: [number, number, number, number, number]) => new Date(...parts).getTime();

test.each([
  ['90s', 90_000],
  ['10m', 600_000],
  ['10min', 600_000],
  ['2 h', 7_200_000],
  ['1d', 86_400_000],
  ['0s', 0],
  ['10', undefined],
  ['m', undefined],
  ['-1m', undefined],
  ['1 constructor', undefined],
])('%s is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ['10m', NOW + 600_000],
  ['in 10m', NOW + 600_000],
  ['+1h', NOW + 3_600_000],
  ['18:30', local(2026, 10, 20, 18, 30)],
  ['08:30', local(2026, 10, 21, 8, 30)],
  ['2026-12-24T18:30', local(2026, 11, 24, 18, 30)],
  ['2026-12-24 18:30', local(2026, 11, 24, 18, 30)],
  ['2026-12-24', local(2026, 11, 24, 0, 0)],
  ['2026-12-24T18:30:00Z', Date.UTC(2026, 11, 24, 18, 30)],
  ['2026-12-24T18:30+01:00', Date.UTC(2026, 11, 24, 17, 30)],
  ['25:00', undefined],
  ['2026-13-01', undefined],
  ['tomorrow', undefined],
  ['', undefined],
])('“%s” as a future time', (text, at) => {
  expect(parseFuture(text, NOW)).toBe(at);
});

test('a duration in the past counts back from now', () => {
  expect(parsePast('10m', NOW)).toBe(NOW - 600_000);
  expect(parsePast('2026-11-20T08:00', NOW)).toBe(NOW - 3_600_000);
  expect(parsePast('05:03', NOW)).toBe(local(2026, 10, 20, 5, 3));
  expect(parsePast('23:59', NOW)).toBe(local(2026, 10, 19, 23, 59));
  expect(parsePast('24:00', NOW)).toBeUndefined();
  expect(parsePast('x', NOW)).toBeUndefined();
});
