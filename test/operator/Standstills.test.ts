import { expect, test } from 'vitest';
import { type Standstill, Standstills } from '../../src/operator/Standstills.js';
import { FakeClock } from '../support/FakeClock.js';

const LOOK_MS = 5_000;
const MINUTE = 60_000;

/** Looks at uploads as the agent does, every 5 s. */
function watching() {
  const clock = new FakeClock();
  const standstills = new Standstills(clock);
  const nothing = { waits: false, isHeld: false, mark: null };
  const look = (seen: { waits?: boolean; isHeld?: boolean; mark?: number | null } = {}): Standstill | null =>
    standstills.look({
      reading: nothing,
      posts: nothing,
      acks: nothing,
      schedule: nothing,
      uploads: { waits: true, isHeld: false, mark: null, ...seen },
    }).uploads;
  /** Time advances by so much, with a look every 5 s. */
  const during = (ms: number, seen: () => Parameters<typeof look>[0] = () => ({})): Standstill | null => {
    let last = look(seen());
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      clock.advance(LOOK_MS);
      last = look(seen());
    }
    return last;
  };
  return { clock, look, during };
}

test('what waits for no known reason is at a standstill since it was first seen', () => {
  const { clock, during, look } = watching();
  const began = clock.now();
  expect(during(60 * MINUTE)).toEqual({ since: began, ms: 60 * MINUTE });
  expect(look({ waits: false })).toBeNull();
  expect(look()).toEqual({ since: clock.now(), ms: 0 });
});

test('a backlog that shrinks is no standstill, however old it is', () => {
  const { clock, during } = watching();
  const every = (ms: number) => () => ({ mark: Math.floor(clock.now() / ms) });
  expect(during(180 * MINUTE, every(MINUTE))?.ms).toBeLessThanOrEqual(MINUTE);
});

test('what waited through an outage has its time to catch up after it', () => {
  const { during } = watching();
  during(50 * MINUTE);
  during(180 * MINUTE, () => ({ isHeld: true }));
  expect(during(9 * MINUTE)?.ms).toBeLessThanOrEqual(9 * MINUTE);
});

test('an outage that flickers does not hide a standstill', () => {
  const { clock, during } = watching();
  const flicker = () => ({ isHeld: Math.floor(clock.now() / LOOK_MS) % 6 === 0 });
  expect(during(30 * MINUTE, flicker)?.ms).toBeGreaterThan(15 * MINUTE);
});

test('neither sleep nor a clock that is set counts as time to catch up', () => {
  const { clock, during, look } = watching();
  during(MINUTE);
  clock.advance(8 * 60 * MINUTE);
  expect(look()?.ms).toBeLessThan(2 * MINUTE);
  clock.jumpWall(24 * 60 * MINUTE);
  expect(look()?.ms).toBeLessThan(2 * MINUTE);
  clock.jumpWall(-48 * 60 * MINUTE);
  expect(look()?.ms).toBeLessThan(2 * MINUTE);
});
