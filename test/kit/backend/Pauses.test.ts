import { expect, test } from 'vitest';
import { Pauses } from '../../../src/kit/backend/Pauses.js';
import { FakeClock } from '../../support/FakeClock.js';

test('a promise that rejects once the pauses have ended is not left unhandled', async ({
  onTestFinished,
}) => {
  const unhandled: unknown[] = [];
  const note = (mistake: unknown) => unhandled.push(mistake);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const pauses = new Pauses(new FakeClock());
  pauses.end();
  expect(await pauses.within(Promise.reject(new Error('too late')), 1_000)).toEqual({ kind: 'ended' });
  // Node reports unhandled rejections when the microtasks are through.
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
