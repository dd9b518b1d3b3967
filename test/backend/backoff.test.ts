import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRetryAfter, reconnectDelay, retryDelay } from '../../src/backend/HttpClient.js';

describe('backoff', () => {
  test('keeps its jitter at the cap, so that a fleet never reconnects in step (docs/facts.md, bug 17)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (step, chance) => {
          expect(reconnectDelay(step, chance)).toBe(30_000 * (1 + chance));
        },
      ),
    );
    expect(reconnectDelay(0, 0)).toBe(1_000);
    expect(reconnectDelay(0, 0.999)).toBeLessThan(2_000);
  });

  test('delays failed requests up to their cap and never below their interval', () => {
    expect([0, 1, 2, 3, 9].map((n) => retryDelay(n, 15_000, 60_000, () => 0))).toEqual([
      15_000, 30_000, 60_000, 60_000, 60_000,
    ]);
    expect(retryDelay(5, 300_000, 60_000, () => 0.9)).toBe(300_000);
    expect(retryDelay(9, 1_000, 60_000, () => 0.999)).toBeGreaterThan(47_000);
  });

  test('reads Retry-After as seconds or as a date, at most an hour', () => {
    const now = Date.UTC(2026, 0, 1);
    expect(parseRetryAfter('7', now)).toBe(7_000);
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
    expect(parseRetryAfter('999999999', now)).toBe(3_600_000);
    expect(parseRetryAfter('soon', now)).toBeUndefined();
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });
});
