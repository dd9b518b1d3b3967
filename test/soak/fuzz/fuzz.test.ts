import { expect, test } from 'vitest';
import { sized } from '../../support/size.js';
import { ENTRIES, type EntryName } from './entries.js';
import { MOST_COST_MS, MOST_HEAP_GROWTH_MB } from './runner.js';

/** `npm run fuzz` takes any other, and more items. */
const SEED = 20;
const COUNTS: Readonly<Record<EntryName, number>> = {
  frames: sized(100, 500),
  sync: sized(16, 66),
  rows: sized(12, 40),
  bodies: sized(60, 266),
  summaries: sized(40, 166),
  config: sized(24, 100),
  status: sized(32, 133),
  monitor: sized(60, 266),
};

test.each(Object.keys(COUNTS) as EntryName[])(
  'whatever arrives by %s, the agent continues, at once, and forgets it',
  async (name) => {
    const { faults, worst, heapGrowthMb } = await ENTRIES[name]({ seed: SEED, count: COUNTS[name] });
    expect(faults).toEqual([]);
    expect(worst.ms, `seed ${SEED}, item ${worst.index}`).toBeLessThanOrEqual(MOST_COST_MS);
    expect(heapGrowthMb).toBeLessThanOrEqual(MOST_HEAP_GROWTH_MB);
  },
  300_000,
);
