import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/system/clock.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

const HOUR = 3_600_000;
/** Plain secrets: a signed token of a clock that is hours ahead would be refused, which reveals the skew itself. */
const settings = { 'auth.mode': 'secret' };

/** A clock that a test may set, which runs like everybody's. */
function settable(aheadMs: number): Clock & { aheadMs: number } {
  return {
    ...systemClock,
    aheadMs,
    now() {
      return systemClock.now() + this.aheadMs;
    },
  };
}

describe.each([
  ["two hours ahead of the backend's", -2 * HOUR],
  ["a day ahead of the backend's", -24 * HOUR],
  ["three hours behind the backend's", 3 * HOUR],
])('while the clock of this machine is %s', (_, aheadMs) => {
  test('fresh commands are executed, stale ones are not, the status says so, and is healthy once it is right', {
    concurrent: true,
  }, async (context) => {
    const backendClock = settable(aheadMs);
    const world = await EdgeWorld.open(context, { settings, backendClock });
    const daemon = await world.start();
    const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
    expect(snapshot?.problems).toMatchObject([
      { code: 'clock_skew', message: expect.stringContaining('The clock of this machine is') },
    ]);
    expect(await world.acked(world.command('fresh'))).toMatchObject({ status: 'completed' });
    const reflex = world.command('reflex', { bubble_type: 'reflex' });
    expect(await world.acked(reflex)).toMatchObject({ status: 'completed' });
    const stale = world.backend.pushCommand({
      command_type: 'send_message_now',
      payload: { thread_id: PERSON, text: 'stale' },
      timestamp: new Date(backendClock.now() - 2 * HOUR).toISOString(),
    }).commandId;
    expect(await world.acked(stale)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^too_late: /),
    });
    const due = world.backend.pushCommand({
      command_type: 'schedule_message',
      payload: {
        thread_id: PERSON,
        message_text: 'due now',
        send_at: new Date(Math.min(backendClock.now(), Date.now()) - 1_000).toISOString(),
      },
    }).commandId;
    expect(await world.acked(due)).toMatchObject({ status: 'completed' });
    await world.sent(3);

    backendClock.aheadMs = 0;
    // Its answers show it from now on; each socket begins with one, and each sync is one.
    for (let kick = 0; kick < 3; kick++) await world.cli('kick');
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['fresh', 'reflex', 'due now']);
  });
});
