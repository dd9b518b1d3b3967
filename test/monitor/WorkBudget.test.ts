import { expect, test } from 'vitest';
import { FakeClock } from '../support/FakeClock.js';
import { MonitorWorld } from '../support/MonitorWorld.js';

test('a user with too many slow requests is refused, also on a new connection; others are answered', async (cleanup) => {
  const clock = new FakeClock();
  const world = await MonitorWorld.open(cleanup, { clock, verbs: { heavy: () => clock.advance(40) } });
  const abuser = await world.operator('abuser');
  const answers: unknown[] = [];
  for (let count = 0; count < 6; count++) answers.push((await abuser.ask('heavy')).ok);
  expect(answers).toEqual([true, true, true, true, false, false]);
  const again = await world.operator('abuser');
  expect(await again.ask('heavy')).toMatchObject({ ok: false, error: { code: 'monitor_busy' } });
  expect(await (await world.operator('ann')).ask('heavy')).toMatchObject({ ok: true });
  clock.advance(5_000);
  expect(await again.ask('heavy')).toMatchObject({ ok: true });
});

test('many users with slow requests get no more than their share together', async (cleanup) => {
  const clock = new FakeClock();
  let worked = 0;
  const heavy = () => {
    worked += 40;
    clock.advance(40);
  };
  const world = await MonitorWorld.open(cleanup, { clock, verbs: { heavy } });
  const users = await Promise.all(Array.from({ length: 8 }, (_, index) => world.operator(`user${index}`)));
  const began = clock.monotonic();
  for (let round = 0; round < 20; round++) {
    for (const user of users) await user.ask('heavy');
    clock.advance(1_000);
  }
  expect(worked / (clock.monotonic() - began)).toBeLessThan(0.07);
});

test('one very slow request blocks no one for long, and never a request to stop sending or a press of a button that costs little', async (cleanup) => {
  const clock = new FakeClock();
  const urgent = ['pause', 'resume', 'schedule.cancel', 'doctor.run'];
  const world = await MonitorWorld.open(cleanup, {
    clock,
    verbs: {
      heavy: () => clock.advance(5_000),
      light: () => 1,
      ...Object.fromEntries(urgent.map((verb) => [verb, () => 1])),
    },
  });
  const [bob, ann] = [await world.operator('bob'), await world.operator('ann')];
  expect(await bob.ask('heavy')).toMatchObject({ ok: true });
  expect(await ann.ask('light')).toMatchObject({ ok: false, error: { code: 'monitor_busy' } });
  for (const user of [bob, ann])
    for (const verb of urgent) expect(await user.ask(verb)).toMatchObject({ ok: true });
  clock.advance(6_100);
  expect(await ann.ask('light')).toMatchObject({ ok: true });
  clock.advance(9_000);
  expect(await bob.ask('light')).toMatchObject({ ok: true });
});

test('what a new user has spent comes back from then on, not only from the next request on', async (cleanup) => {
  const clock = new FakeClock();
  const world = await MonitorWorld.open(cleanup, {
    clock,
    verbs: { heavy: () => clock.advance(160), light: () => 1 },
  });
  const bob = await world.operator('bob');
  expect(await bob.ask('heavy')).toMatchObject({ ok: true });
  clock.advance(1_100);
  expect(await bob.ask('light')).toMatchObject({ ok: true });
});
