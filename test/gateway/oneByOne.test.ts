import { expect, test } from 'vitest';
import { EdgeError } from '../../src/errors.js';
import { oneByOne } from '../../src/gateway/oneByOne.js';

test('one that fails blocks none of the others, and the first error is thrown after them', async () => {
  const done: number[] = [];
  const all = oneByOne([1, 2, 3, 4], async (thing) => {
    if (thing % 2 === 1) throw new Error(`no ${thing}`);
    done.push(thing);
  });
  await expect(all).rejects.toThrow('no 1');
  expect(done).toEqual([2, 4]);
});

test('each waits until the one before it is over', async () => {
  const steps: string[] = [];
  await oneByOne(['a', 'b'], async (thing) => {
    steps.push(`${thing} begins`);
    await Promise.resolve();
    steps.push(`${thing} ends`);
  });
  expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('a database that is away ends the series at once: all others would fail too', async () => {
  const asked: number[] = [];
  const all = oneByOne([1, 2], async (thing) => {
    asked.push(thing);
    throw new EdgeError('storage_unavailable', 'The database is away.');
  });
  await expect(all).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(asked).toEqual([1]);
});
