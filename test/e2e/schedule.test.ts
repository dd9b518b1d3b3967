import { describe, expect, test } from 'vitest';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

function schedule(world: EdgeWorld, text: string, sendAt: number): string {
  const payload = { thread_id: PERSON, message_text: text, send_at: new Date(sendAt).toISOString() };
  return world.backend.pushCommand({ command_type: 'schedule_message', payload }).commandId;
}

describe('a scheduled text', { concurrent: true }, () => {
  test('survives kill -9 and is sent once, at its time', async (context) => {
    const world = await EdgeWorld.open(context);
    const killed = await world.start();
    const sendAt = Date.now() + 3_000;
    const commandId = schedule(world, 'right on time', sendAt);
    const stored = await world.acked(commandId);
    expect(stored).toMatchObject({ status: 'completed', revision: 1 });
    expect(stored.result?.schedule_id).toEqual(expect.any(String));
    expect(await killed.kill('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    expect(world.texts).toEqual([]);

    const daemon = await world.start();
    const sent = await world.acked(commandId, 2);
    expect(sent).toMatchObject({ status: 'completed', result: { outcome: 'sent', confirmed: true } });
    expect(sent.result?.schedule_id).toBe(stored.result?.schedule_id);
    expect(world.mac.sent()[0]?.at).toBeGreaterThanOrEqual(sendAt);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['right on time']);
  });

  test('that fell due while the agent was down is sent at the start, unless it is too late for that', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'schedule.max_lateness_seconds': 3600 } });
    const first = await world.start();
    const sendAt = Date.now() + 1_500;
    const wanted = schedule(world, 'a little late', sendAt);
    await world.acked(wanted);
    await first.kill('SIGKILL');
    await until(
      () => Date.now() > sendAt,
      () => 'the text to fall due',
    );
    const second = await world.start();
    expect(await world.acked(wanted, 2)).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });

    const laterAt = Date.now() + 1_500;
    const unwanted = schedule(world, 'far too late', laterAt);
    await world.acked(unwanted);
    await second.kill('SIGKILL');
    world.writeConfig({ 'schedule.max_lateness_seconds': 0 });
    await until(
      () => Date.now() > laterAt,
      () => 'the text to fall due',
    );
    const third = await world.start();
    const ack = await world.acked(unwanted, 2);
    expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'not_sent', retry_safe: true } });
    expect(ack.error).toMatch(/^too_late: /);
    expect(await third.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['a little late']);
  });
});
