import { expect, test } from 'vitest';
import { SendHealth } from '../../src/health/SendHealth.js';
import { FakeClock } from '../support/FakeClock.js';

const HOUR = 3_600_000;
const why = { message: 'no', remedy: 'mend it' };

test.each(['messages_unavailable', 'disk_full'] as const)(
  '%s is not reported for days because nothing was tried since: after an hour it is unknown',
  (reason) => {
    const clock = new FakeClock();
    const health = new SendHealth(clock);
    const codes = () => [health.fault(), ...health.machineFaults()].flatMap((one) => one?.code ?? []);
    const began = clock.now();
    health.note({ kind: 'notStarted', reason, ...why });
    clock.advance(HOUR / 2);
    health.note({ kind: 'notStarted', reason, ...why });
    clock.advance(HOUR - 1);
    expect(codes()).toEqual([reason]);
    expect([health.fault(), ...health.machineFaults()].find(Boolean)?.since).toBe(began);
    clock.advance(1);
    expect(codes()).toEqual([]);
  },
);

test('a permission that macOS denied is reported until a text gets through: only a user grants it', () => {
  const clock = new FakeClock();
  const health = new SendHealth(clock);
  health.note({ kind: 'notStarted', reason: 'automation_denied', ...why });
  clock.advance(48 * HOUR);
  expect(health.fault()?.code).toBe('automation_denied');
  health.note({ kind: 'accepted' });
  expect(health.fault()).toBeUndefined();
});
