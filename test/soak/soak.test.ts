import { expect, test } from 'vitest';
import { sized } from '../support/size.js';
import { soak } from './soak.js';

/** One of many: `npm run soak` takes any other, and more kills. */
const SEED = 20;
const KILLS = sized(8, 60);

test('a daemon that is killed repeatedly, among failures of every kind, keeps every promise', {
  timeout: 600_000,
}, async () => {
  const { violations, kills, counts, forms, artefacts } = await soak({
    seed: SEED,
    kills: KILLS,
    minutes: Infinity,
    unknown: false,
    forms: true,
    faults: [],
    keep: false,
  });
  expect(violations, artefacts).toEqual([]);
  expect(kills).toBe(KILLS);
  for (const what of ['messages', 'commands', 'texts sent', 'delivered again'] as const) {
    expect(counts[what]).toBeGreaterThan(3);
  }
  // Which of the forms are written is the seed's choice.
  expect(Object.keys(forms).length).toBeGreaterThan(4);
});
