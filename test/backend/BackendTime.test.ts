import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackendTime } from '../../src/backend/BackendTime.js';
import { FakeClock } from '../support/FakeClock.js';

const HOUR = 3_600_000;
const SEED = 20261129;

/** A backend whose clock is so far ahead of the agent's, in ms, and its Date header. */
function backend(aheadMs: number) {
  const clock = new FakeClock();
  clock.jumpWall(Date.UTC(2026, 5, 1) - clock.now());
  const time = new BackendTime(clock);
  const state = { aheadMs };
  const now = () => clock.now() + state.aheadMs;
  const answers = (offMs = 0, more = {}) =>
    time.note({ date: new Date(now() + offMs).toUTCString(), ...more });
  return { clock, time, state, now, answers };
}

describe('the backend’s time', () => {
  test('is unknown before its first answer: ages are measured by the local clock', () => {
    const { clock, time } = backend(0);
    expect(time.skewMs).toBeNull();
    expect(time.ageOf(clock.now() - 5_000)).toBe(5_000);
    expect(time.problem()).toBeNull();
  });

  test.each([
    ['two hours behind', -2 * HOUR, 'ahead of'],
    ['two hours ahead', 2 * HOUR, 'behind'],
    ['a time zone ahead', 13 * HOUR, 'behind'],
    ['a month behind', -30 * 24 * HOUR, 'ahead of'],
    ['61.5 seconds ahead', 61_500, 'behind'],
  ])('is used after two answers, %s, and the difference is reported', (_, aheadMs, words) => {
    const { clock, time, now, answers } = backend(aheadMs);
    answers();
    clock.advance(1_000);
    answers();
    expect(Math.abs(time.ageOf(now() - 10_000) - 10_000)).toBeLessThan(1_001);
    expect(time.problem()).toMatchObject({ code: 'clock_skew', message: expect.stringContaining(words) });
  });

  test('that differs by less than a minute is not reported', () => {
    const { time, answers } = backend(-45_000);
    answers();
    answers();
    expect(time.problem()).toBeNull();
  });

  test('after one answer: what is fresh by either clock is fresh, and nothing is reported', () => {
    const { clock, time, now, answers } = backend(-2 * HOUR);
    answers();
    expect(time.ageOf(now())).toBeLessThan(1_001);
    expect(time.ageOf(clock.now())).toBeLessThan(1_001);
    expect(time.problem()).toBeNull();
  });

  test.each([
    ['is off by years', 400 * 24 * HOUR, {}],
    ['is off by hours into the past', -5 * HOUR, {}],
    ['was kept by a proxy', -5 * HOUR, { age: '18000' }],
  ])('is not moved by one answer that %s among others', (_, offMs, more) => {
    const { clock, time, now, answers } = backend(0);
    answers();
    answers();
    answers(offMs, more);
    for (let count = 0; count < 4; count++) {
      expect(Math.abs(time.ageOf(now()))).toBeLessThan(1_001);
      expect(time.problem()).toBeNull();
      clock.advance(60_000);
      answers();
    }
  });

  test.each(['', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 01 Jan 2500 00:00:00 GMT', undefined])(
    'is not taken from the Date %j',
    (date) => {
      const { time } = backend(0);
      time.note({ date });
      time.note({ date });
      expect(time.skewMs).toBeNull();
    },
  );

  test('follows the monotonic clock when the local clock is set, which is reported until that is right', () => {
    const { clock, time, state, now, answers } = backend(0);
    answers();
    answers();
    clock.jumpWall(2 * HOUR);
    state.aheadMs -= 2 * HOUR;
    expect(time.ageOf(now())).toBeLessThan(1_001);
    expect(time.problem()?.code).toBe('clock_skew');
    clock.jumpWall(-2 * HOUR);
    state.aheadMs += 2 * HOUR;
    expect(time.problem()).toBeNull();
  });

  test('follows the backend when its own clock is set, after two answers', () => {
    const { time, state, now, answers } = backend(-2 * HOUR);
    for (let count = 0; count < 9; count++) answers();
    expect(time.problem()?.code).toBe('clock_skew');
    state.aheadMs = 0;
    answers();
    answers();
    expect(time.problem()).toBeNull();
    expect(Math.abs(time.ageOf(now()))).toBeLessThan(1_001);
  });

  test('after a sleep in which the monotonic clock stopped: nothing false is reported, and two answers correct it', () => {
    const { clock, time, answers } = backend(0);
    answers();
    answers();
    clock.jumpWall(8 * HOUR);
    time.doubt();
    expect(time.problem()).toBeNull();
    expect(time.ageOf(clock.now())).toBeLessThan(1_001);
    answers();
    expect(time.problem()).toBeNull();
    answers();
    expect(time.problem()).toBeNull();
    expect(Math.abs(time.ageOf(clock.now()))).toBeLessThan(1_001);
  });

  test('after the local clock was set during the run, one answer is enough to be certain again', () => {
    const { clock, time, state, answers } = backend(0);
    answers();
    answers();
    clock.jumpWall(2 * HOUR);
    state.aheadMs -= 2 * HOUR;
    time.doubt();
    answers();
    expect(time.problem()?.code).toBe('clock_skew');
  });
});

test(`whatever one in three answers says, ages are right by the backend's clock (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -48 * HOUR, max: 48 * HOUR }),
      fc.array(fc.integer({ min: -1000 * HOUR, max: 1000 * HOUR }), { maxLength: 20 }),
      (aheadMs, lies) => {
        const { clock, time, now, answers } = backend(aheadMs);
        answers();
        answers();
        for (const lie of lies) {
          answers(lie);
          clock.advance(30_000);
          answers();
          answers();
          expect(Math.abs(time.ageOf(now() - HOUR) - HOUR)).toBeLessThan(6_001);
        }
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
});
