import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type CircuitEvent,
  type CircuitState,
  CLOSED,
  circuitWait,
  nextCircuit,
} from '../../src/system/Circuit.js';

const SEED = 20261130;
const WAITS = { firstMs: 1_000, longestMs: 5_000 };

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failure = fc.record({
  type: fc.constant('failed' as const),
  at: fc.constant(0),
  chance,
  source: fc.constantFrom('ann', 'bob', 'cal'),
  isUnread: fc.boolean(),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 3_600_000 }), { nil: undefined }),
});
const event: fc.Arbitrary<CircuitEvent> = fc.oneof(
  failure,
  fc.record({ type: fc.constant('began' as const), at: fc.constant(0), chance }),
  fc.constant({ type: 'taken' as const }),
  fc.record({ type: fc.constant('hint' as const), at: fc.constant(0) }),
);
/** What happens, each so many ms after the one before. */
const story = fc.array(fc.tuple(fc.nat(20_000), event), { maxLength: 60 });

/** Plays a story; `seen` looks at each step. */
function play(
  steps: readonly (readonly [number, CircuitEvent])[],
  seen: (before: CircuitState, event: CircuitEvent, after: CircuitState, now: number) => void = () =>
    undefined,
): { state: CircuitState; now: number } {
  let state: CircuitState = CLOSED;
  let now = 0;
  for (const [ms, untimed] of steps) {
    now += ms;
    const timed = 'at' in untimed ? { ...untimed, at: now } : untimed;
    const after = nextCircuit(state, timed, WAITS);
    seen(state, timed, after, now);
    state = after;
  }
  return { state, now };
}

test('one accepted request releases all, whatever was before', () => {
  const law = fc.property(story, (steps) => {
    const { state } = play([...steps, [0, { type: 'taken' }]]);
    expect(state).toEqual(CLOSED);
  });
  fc.assert(law, { seed: SEED });
});

test('one source that fails, read each time, never keeps the others from being sent', () => {
  const law = fc.property(fc.array(failure, { maxLength: 100 }), (failures) => {
    const alone = failures.map((one) => [1_000, { ...one, source: 'ann', isUnread: false }] as const);
    expect(play(alone).state.name).toBe('closed');
  });
  fc.assert(law, { seed: SEED });
});

test('it opens only after eight failures in a row of more than one source, or two without a connection', () => {
  const law = fc.property(story, (steps) => {
    let row: (CircuitEvent & { type: 'failed' })[] = [];
    play(steps, (before, event, after) => {
      if (event.type === 'taken') row = [];
      if (event.type === 'failed') row.push(event);
      const isOpening = before.name === 'closed' && after.name === 'open';
      const isUnreachable = row.slice(-2).filter(({ isUnread }) => isUnread).length === 2;
      const isFailing = row.length >= 8 && new Set(row.map(({ source }) => source)).size >= 2;
      expect(isOpening).toBe(
        before.name === 'closed' && event.type === 'failed' && (isUnreachable || isFailing),
      );
    });
  });
  fc.assert(law, { seed: SEED });
});

test('while it is open, each request makes the next one wait, at most 6.25 s unless the other side asks for more', () => {
  const law = fc.property(story, (steps) => {
    play(steps, (before, event, after, now) => {
      if (before.name === 'closed' || after.name === 'closed') return;
      const wait = circuitWait(after, now);
      if (event.type === 'began') {
        expect(wait).toBeGreaterThanOrEqual(750);
        expect(wait).toBeLessThanOrEqual(Math.max(6_250, circuitWait(before, now)));
      }
      if (event.type === 'failed') {
        expect(wait).toBeGreaterThanOrEqual(event.retryAfterMs ?? 0);
        expect(wait).toBeLessThanOrEqual(Math.max(event.retryAfterMs ?? 0, circuitWait(before, now)));
      }
      if (event.type === 'hint') expect(wait).toBeLessThanOrEqual(1_000);
    });
  });
  fc.assert(law, { seed: SEED });
});

test('whatever hints come, no two requests are sent within 750 ms while it is open', () => {
  const law = fc.property(story, (steps) => {
    const greedy = steps.flatMap(([ms, one]): [number, CircuitEvent][] => [
      [ms, one.type === 'taken' ? { type: 'hint', at: 0 } : one],
      [0, { type: 'hint', at: 0 }],
    ]);
    let state: CircuitState = nextCircuit(
      nextCircuit(CLOSED, { type: 'failed', at: 0, chance: 0, source: 'a', isUnread: true }, WAITS),
      { type: 'failed', at: 0, chance: 0, source: 'a', isUnread: true },
      WAITS,
    );
    let [now, last] = [0, 0];
    for (const [ms, one] of greedy) {
      now += ms;
      if (one.type !== 'began') state = nextCircuit(state, 'at' in one ? { ...one, at: now } : one, WAITS);
      if (circuitWait(state, now) > 0) continue;
      expect(now - last).toBeGreaterThanOrEqual(749);
      state = nextCircuit(state, { type: 'began', at: now, chance: 0 }, WAITS);
      last = now;
    }
  });
  fc.assert(law, { seed: SEED });
});
