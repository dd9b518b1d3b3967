import { expect, test } from 'vitest';
import { playFlaky } from '../support/FlakyTraffic.js';
import { seeded } from '../support/seeded.js';

const MESSAGES = 10_000;
const isLong = process.env.TEST_LONG === '1';
/** By name: ms between two messages, and for how long a post takes. */
const ARRIVALS = {
  'one a second': { everyMs: 1_000, postMs: 100 },
  'one a minute': { everyMs: 60_000, postMs: 100 },
  'ten a second': { everyMs: 100, postMs: 100 },
  'one in five minutes': { everyMs: 300_000, postMs: 100 },
  'all at once': { everyMs: 0, postMs: 100 },
  'one a second, of posts that hang': { everyMs: 1_000, postMs: 20_000 },
} as const;
type Arrival = keyof typeof ARRIVALS;

const CHANCES = isLong ? [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95] : [0.8];
const NAMES = (Object.keys(ARRIVALS) as Arrival[]).slice(0, isLong ? undefined : 2);
const cases = NAMES.flatMap((name) => CHANCES.map((chance) => [name, chance] as const));
const MINUTE = 60_000;

/** At most one innocent message in a thousand. */
const MOST_LOST = MESSAGES / 1_000;

test.each(cases)(
  `of ${MESSAGES} messages, %s, hardly one is set aside where a share of %d of all posts fails at random`,
  (name, chance) => {
    const lost = playFlaky({
      ...ARRIVALS[name],
      messages: MESSAGES,
      failing: () => chance,
      random: seeded(20261219),
    });
    expect(lost.length).toBeLessThan(MOST_LOST);
  },
  120_000,
);

test.each(cases)(
  `nor, of ${MESSAGES} messages, %s, where the backend was well before a share of %d began to fail`,
  (name, chance) => {
    const { everyMs } = ARRIVALS[name];
    const lost = playFlaky({
      ...ARRIVALS[name],
      messages: MESSAGES,
      failing: (at) => (at < (everyMs * MESSAGES) / 2 ? 0.01 : chance),
      random: seeded(20261220),
    });
    expect(lost.length).toBeLessThan(MOST_LOST);
  },
  120_000,
);

test.each(cases)(
  `nor, of ${MESSAGES} messages, %s, where a share of %d fails between outages of an hour`,
  (name, chance) => {
    const lost = playFlaky({
      ...ARRIVALS[name],
      messages: MESSAGES,
      failing: (at) => (at % (120 * MINUTE) < 60 * MINUTE ? 1 : chance),
      random: seeded(20261221),
    });
    expect(lost.length).toBeLessThan(MOST_LOST);
  },
  120_000,
);

test.each(
  [
    [0, 2],
    [0.1, 3],
    [0.3, 8],
    [0.5, 20],
  ].flatMap(([chance, minutes]) => [1, 10].map((each) => [each, chance ?? 0, minutes ?? 0] as const)),
)(
  'of messages that come each second, %d in a hundred that always fail are set aside, where a share of %d of the other posts fails, within %d minutes',
  (each, chance, minutes) => {
    const poison = new Set(Array.from({ length: 10 * each }, (_, index) => Math.floor((index * 100) / each)));
    const setAside = playFlaky({
      ...ARRIVALS['one a second'],
      messages: 1_000 + minutes * 60,
      failing: () => chance,
      random: seeded(20261222),
      poison,
    });
    const found = setAside.filter(({ message }) => poison.has(message));
    expect(found).toHaveLength(poison.size);
    expect(Math.max(...found.map(({ afterMs }) => afterMs))).toBeLessThan(minutes * MINUTE);
    expect(setAside.length - found.length).toBeLessThanOrEqual(1);
  },
  60_000,
);

test('a bad day protects no message forever: one that always fails is set aside within minutes, whatever the backend did the day before', () => {
  const day = 24 * 60 * MINUTE;
  const everyMs = 30_000;
  const first = Math.ceil(day / everyMs) + 10;
  const [found, ...others] = playFlaky({
    ...{ everyMs, postMs: 100, messages: first + 120, random: seeded(20261223) },
    failing: (at) => (at < day ? 0.95 : 0),
    poison: new Set([first]),
    mostAgeMs: 60 * MINUTE,
  }).filter(({ message }) => message >= first);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ message: first });
  expect(found?.afterMs).toBeLessThan(20 * MINUTE);
});
