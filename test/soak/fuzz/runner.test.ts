import { expect, test, vi } from 'vitest';
import { fuzz, MOST_CPU_MS } from './runner.js';

test('an item that is slow each time is a fault, one that is slow until its code is compiled is none', async ({
  onTestFinished,
}) => {
  let used = 0;
  const cpuUsage = vi.spyOn(process, 'cpuUsage').mockImplementation((before) => ({
    user: used - (before?.user ?? 0),
    system: 0,
  }));
  onTestFinished(() => cpuUsage.mockRestore());
  const TOO_LONG_MS = MOST_CPU_MS + 1;
  let cold = 6;
  const { faults, worst } = await fuzz(
    {
      name: 'slow ones',
      atOnce: 1,
      perWorld: 10,
      make: (_, salt) => Number(salt.split('-')[0]),
      open: async () => ({
        take([index]: readonly number[]) {
          const isCold = index === 1 && cold > 0;
          if (isCold) cold -= 1;
          used += (index === 2 || isCold ? TOO_LONG_MS : 3) * 1000;
        },
        close: async () => undefined,
      }),
    },
    { seed: 1, count: 4 },
  );
  expect(faults).toEqual([
    { entry: 'slow ones', seed: 1, index: 2, what: `takes ${TOO_LONG_MS} ms of CPU time` },
  ]);
  expect(worst).toEqual({ index: 2, ms: TOO_LONG_MS });
  expect(cold).toBe(0);
});
