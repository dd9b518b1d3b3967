import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswersToOthers, LEAST_STRIKES, retryOf } from '../../src/incoming/posts.js';
import type { PostResult } from '../../src/model/incoming.js';

const SEED = 20261213;
const TIMEOUT_MS = 60_000;

type Failure = Extract<PostResult, { kind: 'retry' }>;

const failure: fc.Arbitrary<Failure> = fc.record({
  kind: fc.constant('retry' as const),
  cause: fc.constantFrom<Failure['cause']>(
    ...(['network', 'timeout', 'server', 'unauthorised', 'not_found', 'other'] as const),
  ),
  status: fc.constantFrom(401, 402, 403, 404, 418, 431, 451, 500, 503, 599),
  detail: fc.constant('no'),
});
const anyFailure: fc.Arbitrary<Failure> = fc.oneof(
  failure,
  failure.map((one): Failure => ({ ...one, cause: 'busy', status: 429 })),
  failure.map((one): Failure => ({ ...one, cause: 'network', unread: true })),
  failure.map((one): Failure => ({ ...one, cause: 'aborted' })),
);

/** One message that is posted repeatedly; `play` fails its newest post, and returns whether it is set aside. */
function message(random: () => number) {
  const answers = new AnswersToOthers();
  const record = { attempts: 0, strikes: 0, firstStrikeAt: null as number | null };
  let now = 1_700_000_000_000;
  let others = 1;
  const answeredAt: number[] = [];
  answers.began(0);
  return {
    record,
    elapse: (ms: number) => {
      now += ms;
    },
    othersAnswered: (count: number) => {
      for (let each = 0; each < count; each++) {
        answers.answered(others++);
        answeredAt.push(now);
      }
    },
    fail(result: Failure): 'set_aside' | number {
      record.attempts += 1;
      const within = (ms: number) => ({
        answered: answeredAt.filter((at) => at >= now - ms).length,
        failures: 0,
      });
      const next = retryOf(record, result, now, { isAnother: answers.any(0), within }, random);
      if (next.kind === 'set_aside') return 'set_aside';
      answers.failed(0);
      Object.assign(record, { strikes: next.strikes, firstStrikeAt: next.firstStrikeAt });
      const wait = next.retryAt - now;
      now = next.retryAt;
      return wait;
    },
    now: () => now,
  };
}

const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

test(`whatever came before, no message collects a strike in an outage after its first failure in it (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyFailure, fc.nat(3), fc.nat(90_000)), { maxLength: 20 }),
      fc.array(anyFailure, { minLength: 2, maxLength: 200 }),
      chance,
      (before, outage, random) => {
        const one = message(() => random);
        for (const [result, answered, ms] of before) {
          one.elapse(ms);
          one.othersAnswered(answered);
          if (one.fail(result) === 'set_aside') return;
        }
        const [first, ...rest] = outage;
        if (first === undefined || one.fail(first) === 'set_aside') return;
        const { strikes } = one.record;
        for (const result of rest) {
          expect(one.fail(result)).not.toBe('set_aside');
        }
        expect(one.record.strikes).toBe(strikes);
      },
    ),
    { seed: SEED, numRuns: 2_000 },
  );
});

test(`while no one is answered at all, no message collects a strike, for a day (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(anyFailure, { minLength: 1, maxLength: 20 }), chance, (results, random) => {
      const one = message(() => random);
      const until = one.now() + 86_400_000;
      for (let round = 0; one.now() < until; round++) {
        one.elapse(TIMEOUT_MS);
        const result = results[round % results.length];
        if (result !== undefined) expect(one.fail(result)).not.toBe('set_aside');
      }
      expect(one.record.strikes).toBe(0);
    }),
    { seed: SEED, numRuns: 30 },
  );
});

test(`a message that always fails while others are answered is set aside within ten minutes of posts that time out (seed ${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(failure, fc.integer({ min: 1, max: 5 }), fc.nat(TIMEOUT_MS)), {
        minLength: 20,
        maxLength: 20,
      }),
      chance,
      (rounds, random) => {
        const one = message(() => random);
        const began = one.now();
        let strikes = 0;
        for (const [result, answered, ms] of rounds) {
          one.elapse(ms);
          one.othersAnswered(answered);
          strikes += 1;
          if (one.fail(result) !== 'set_aside') continue;
          expect(strikes).toBeGreaterThanOrEqual(LEAST_STRIKES);
          expect(one.now() - began).toBeLessThan(600_000);
          return;
        }
        expect.unreachable('it was never set aside');
      },
    ),
    { seed: SEED, numRuns: 2_000 },
  );
});

test('what never reached the backend, and what the agent aborted itself, is no strike', () => {
  for (const result of [
    { kind: 'retry', cause: 'network', unread: true, detail: 'ECONNREFUSED' },
    { kind: 'retry', cause: 'aborted', detail: 'the agent is stopping' },
  ] satisfies Failure[]) {
    const one = message(() => 0.5);
    for (let round = 0; round < 100; round++) {
      one.elapse(30_000);
      one.othersAnswered(1);
      expect(one.fail(result)).not.toBe('set_aside');
    }
  }
});
