import { expect, test } from 'vitest';
import { ENTRIES, type EntryName } from './entries.js';
import { MOST_COST_MS, MOST_HEAP_GROWTH_MB } from './runner.js';

/** `npm run fuzz` takes any other, and more items. */
const SEED = 20;
const COUNTS: Readonly<Record<EntryName, number>> = {
  frames: 500,
  sync: 66,
  rows: 40,
  bodies: 266,
  summaries: 166,
  config: 100,
  status: 133,
  monitor: 266,
};

test.each(Object.keys(COUNTS) as EntryName[])(
  'whatever comes in by %s, the agent goes on, at once, and forgets it',
  async (name) => {
    const { faults, worst, heapGrowthMb } = await ENTRIES[name]({ seed: SEED, count: COUNTS[name] });
    expect(faults).toEqual([]);
    expect(worst.ms, `seed ${SEED}, item ${worst.index}`).toBeLessThanOrEqual(MOST_COST_MS);
    expect(heapGrowthMb).toBeLessThanOrEqual(MOST_HEAP_GROWTH_MB);
  },
  300_000,
);
