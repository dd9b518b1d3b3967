import { expect, test } from 'vitest';
import { type FuzzEntry, fuzz, MOST_COST_MS } from './runner.js';

const TOO_LONG_MS = MOST_COST_MS + 1;

/** What an item costs, by CPU and by wall time, in which world, and how often it was taken there before. */
type Cost = (index: number, world: number, times: number) => readonly [cpu: number, wall: number];

/** Runs four items of these costs, each in a world of its own. */
async function run(cost: Cost) {
  let [cpu, wall, worlds] = [0, 0, 0];
  const entry: FuzzEntry<number> = {
    name: 'these',
    atOnce: 1,
    perWorld: 10,
    make: (_, salt) => Number(salt.split('-')[0]),
    async open() {
      worlds += 1;
      const world = worlds;
      const times = new Map<number, number>();
      return {
        take([index = 0]) {
          const before = times.get(index) ?? 0;
          times.set(index, before + 1);
          const [byCpu, byWall] = cost(index, world, before);
          cpu += byCpu;
          wall += byWall;
        },
        close: async () => undefined,
      };
    },
  };
  const meter = { cpu: () => cpu, wall: () => wall };
  return fuzz(entry, { seed: 1, count: 4, meter });
}

test('an item that is slow each time is a fault, one that is slow until its code is compiled is not', async () => {
  const { faults, worst } = await run((index, _, times) => {
    const isSlow = index === 2 || (index === 1 && times < 6);
    return isSlow ? [TOO_LONG_MS, TOO_LONG_MS] : [3, 3];
  });
  expect(faults).toEqual([{ entry: 'these', seed: 1, index: 2, what: `costs ${TOO_LONG_MS} ms` }]);
  expect(worst).toEqual({ index: 2, ms: TOO_LONG_MS });
});

test('an item that waits for a busy machine is no fault, nor one whose process works on something else', async () => {
  const costs: Cost = (index) => [index === 1 ? 5_000 : 3, index === 2 ? 5_000 : 3];
  const { faults, worst } = await run(costs);
  expect(faults).toEqual([]);
  expect(worst.ms).toBe(3);
});

test('an item is reported only where it is slow alone too, in a fresh world', async () => {
  // The fourth world is the one in which the last item is taken first.
  const costs: Cost = (index, world) => (index === 3 && world === 4 ? [90, 90] : [3, 3]);
  const { faults, worst } = await run(costs);
  expect(faults).toEqual([]);
  expect(worst.ms).toBe(3);
});
